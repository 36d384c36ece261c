"""What fixes the shapes of a model's weights, without TensorFlow."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

TAIL_WIDTH_FACTOR = 4  # each tail's vectors are narrower by this factor than those of the cluster before it
MIN_TAIL_WIDTH = 4


class Cluster(NamedTuple):
    """The words `start` to `stop` (exclusive) of an adaptive softmax's tail, and the width of their vectors."""

    start: int
    stop: int
    width: int


@dataclass(frozen=True)
class Shape:
    """What fixes the shapes of the weights.

    Attributes:
        vocabulary_size, embedding_size, hidden_size, layers: numbers of words, of units and of LSTM layers.
        projection_size: width after the last layer's projection, or None for none.
        tie_weights: the softmax multiplies the embedding itself; its width must be the output's.
        adaptive_cutoffs: ids at which the clusters of an adaptive softmax start, rising; () for a plain softmax.
        members: how many models of this shape there are in an ensemble, whose probabilities are averaged; 1 for a single model.
        mogrifier_rounds, mogrifier_rank: of each LSTM layer, see `mogrifier`; without rounds, a plain LSTM.
    """

    vocabulary_size: int
    embedding_size: int
    hidden_size: int
    layers: int
    projection_size: int | None
    tie_weights: bool
    adaptive_cutoffs: tuple[int, ...] = ()
    members: int = 1
    mogrifier_rounds: int = 0
    mogrifier_rank: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "adaptive_cutoffs", tuple(self.adaptive_cutoffs))  # JSON has lists only

    @property
    def layer_inputs(self) -> list[int]:
        """Width of each LSTM layer's input."""
        return [self.embedding_size, *[self.hidden_size] * (self.layers - 1)]

    @property
    def output_size(self) -> int:
        """Width of the softmax's input."""
        return self.projection_size or self.hidden_size

    @property
    def state_layers(self) -> int:
        """Layers of the state: those of all members."""
        return self.layers * self.members

    @property
    def member(self) -> "Shape":
        """The shape of one member of an ensemble."""
        return replace(self, members=1)

    def layer_parameters(self, layer: int) -> int:
        """Count the weights of an LSTM layer, with its mogrifier."""
        inputs, hidden = self.layer_inputs[layer], self.hidden_size
        return (inputs + hidden + 1) * 4 * hidden + self.mogrifier_rounds * self.mogrifier_rank * (inputs + hidden)

    @property
    def clusters(self) -> list[Cluster]:
        """The clusters of rare words of an adaptive softmax; none for a plain softmax."""
        return tail_clusters(self.vocabulary_size, self.adaptive_cutoffs, self.output_size)

    @property
    def head_size(self) -> int:
        """Rows of the softmax: all words, or for an adaptive softmax the frequent words and one row a cluster."""
        clusters = self.clusters
        return clusters[0].start + len(clusters) if clusters else self.vocabulary_size


def tail_clusters(vocabulary_size: int, cutoffs: tuple[int, ...], width: int) -> list[Cluster]:
    """Split the rare words into clusters with narrower and narrower vectors.

    Args:
        vocabulary_size: number of words.
        cutoffs: ids at which a cluster starts, rising.
        width: of the frequent words' vectors.
    """
    spans = pairwise([*cutoffs, vocabulary_size])
    return [Cluster(start, stop, max(MIN_TAIL_WIDTH, width // TAIL_WIDTH_FACTOR ** (i + 1))) for i, (start, stop) in enumerate(spans)]


def count_parameters(shape: Shape) -> int:
    """Count the weights of a model or of all members of an ensemble, each once, without building it."""
    hidden, output = shape.hidden_size, shape.output_size
    lstm = sum(shape.layer_parameters(layer) for layer in range(shape.layers))
    projection = hidden * output if shape.projection_size else 0
    softmax = 0 if shape.tie_weights else shape.head_size * output
    tails = sum(output * width + (stop - start) * (width + 1) for start, stop, width in shape.clusters)
    return shape.members * (shape.vocabulary_size * shape.embedding_size + lstm + projection + softmax + shape.head_size + tails)
