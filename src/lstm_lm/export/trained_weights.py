"""Weights of an earlier training, from which another one starts."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from lstm_lm.errors import SettingError
from lstm_lm.export.weights import WEIGHTS, WORDS
from lstm_lm.model.ensemble import Model, weight_prefix
from lstm_lm.model.language_model import LanguageModel, mogrifier_name
from lstm_lm.model.shape import Shape
from lstm_lm.text.tokenization import vocabulary

KEY = "train.init_from"
LSTM_WEIGHTS = {"kernels": "kernel", "recurrents": "recurrent", "biases": "bias"}  # attribute of a LanguageModel -> part of a name

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class TrainedWeights:
    """What a folder holds.

    Attributes:
        words: the vocabulary, in the order of the ids.
        arrays: the weights by the names that they have in `weights` of a LanguageModel or an Ensemble.
    """

    words: list[str]
    arrays: Arrays

    @property
    def members(self) -> list["TrainedWeights"]:
        """The weights of each member of an ensemble, as those of a single model; of a single model, its own."""
        members: list[TrainedWeights] = []
        while own := self._with_prefix(weight_prefix(len(members))):
            members.append(TrainedWeights(self.words, own))
        return members or [self]

    def _with_prefix(self, prefix: str) -> Arrays:
        return {name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)}


def read(folder: Path, described: str) -> TrainedWeights:
    """Read a folder like models/weights, or a SavedModel.

    Args:
        folder: either of them.
        described: what messages call it.
    Raises:
        SettingError: it is neither.
    """
    try:
        if (folder / WEIGHTS).is_file():
            with np.load(folder / WEIGHTS) as saved:
                return TrainedWeights(vocabulary.read_tokens(folder / WORDS), dict(saved))
        return TrainedWeights(vocabulary.read_tokens(folder / "assets" / WORDS), _read_saved_model(folder))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        problem = f"{described}: must be a folder like models/weights, or a SavedModel of this project: {reason}"
        raise SettingError(KEY, problem) from None


def _read_saved_model(folder: Path) -> Arrays:
    """Read the trained variables of a SavedModel by the names of `Model.weights`, without loading its graphs."""
    checkpoint = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    keys = [key for key in checkpoint.get_variable_to_shape_map() if key.startswith("model/") and not key.startswith("model/ngrams/")]
    return {_weight_name(key.split("/")[1:-2]): checkpoint.get_tensor(key) for key in keys}


def _weight_name(path: list[str]) -> str:
    """Return the name of a variable, given its attributes in a model: ["kernels", "0"] -> "lstm_0_kernel"."""
    match path:
        case ["base", *rest]:  # of a mixture with n-grams
            return _weight_name(rest)
        case ["members", member, *rest]:
            return weight_prefix(int(member)) + _weight_name(rest)
        case ["kernels" | "recurrents" | "biases" as kind, layer]:
            return f"lstm_{layer}_{LSTM_WEIGHTS[kind]}"
        case ["mogrifiers", layer, place]:
            return mogrifier_name(int(layer), int(place))
        case ["tails", cluster, kind]:
            return f"tail_{cluster}" if kind == "weights" else f"tail_{cluster}_{kind}"
    return "/".join(path)


def copy_into(model: Model, words: list[str], trained: TrainedWeights) -> int:
    """Give a model trained weights. What belongs to a word goes to the same word, whatever its id is there.

    Words that the trained model does not know keep their initial weights. If the trained model is an ensemble of fewer members, or no
    ensemble, several members start from the same weights; if it has more, the last ones are not used.

    Args:
        model: with its initial weights.
        words: its vocabulary, in the order of the ids.
        trained: of a model with the same layers.
    Returns:
        How many of the words the trained model knows.
    Raises:
        SettingError: its layers are others, or it knows none of the words.
    """
    for member, of_member in zip(model.members, itertools.cycle(trained.members), strict=False):
        _copy_into_member(member, words, of_member)
    return len(set(words) & set(trained.words))


def _copy_into_member(model: LanguageModel, words: list[str], trained: TrainedWeights) -> None:
    _check_same_layers(model, trained.arrays)
    ours = _row_labels(model.shape, words)
    theirs = _row_labels(_shape_of(model.shape, trained), trained.words)
    if not set(words[1:]) & set(trained.words):
        raise SettingError(KEY, "the trained model knows no word of this vocabulary: its tokens must be of the same kind (vocab.unit)")
    for name, variable in model.weights.items():
        trained_values = trained.arrays[name]
        if name not in ours:
            variable.assign(trained_values)
            continue
        rows = {label: row for row, label in enumerate(theirs[name])}
        pairs = [(row, rows[label]) for row, label in enumerate(ours[name]) if label in rows]
        values = variable.numpy()
        if pairs:
            to_rows, from_rows = zip(*pairs, strict=True)
            values[list(to_rows)] = trained_values[list(from_rows)]
        variable.assign(values)


def _row_labels(shape: Shape, words: list[str]) -> dict[str, list[str]]:
    """Return what each row of a variable belongs to, for the variables that have a row for each word: a word, or a cluster of words."""
    clusters = shape.clusters
    frequent = words[: clusters[0].start] if clusters else words
    head = [*frequent, *(f"cluster {i}\n" for i in range(len(clusters)))]  # no word holds a newline
    labels = {"embedding": words, "softmax": head, "softmax_bias": head}
    for i, cluster in enumerate(clusters):
        labels |= dict.fromkeys((f"tail_{i}", f"tail_{i}_bias"), words[cluster.start : cluster.stop])
    return labels


def _shape_of(ours: Shape, trained: TrainedWeights) -> Shape:
    """Return the shape of a trained model whose layers are those of ours."""
    sizes = [len(trained.arrays[f"tail_{i}"]) for i in range(len(ours.clusters))]
    cutoffs = tuple(len(trained.words) - sum(sizes[i:]) for i in range(len(sizes)))
    return replace(ours, vocabulary_size=len(trained.words), adaptive_cutoffs=cutoffs)


def _check_same_layers(model: LanguageModel, arrays: Arrays) -> None:
    ours = _layers({name: tuple(variable.shape) for name, variable in model.weights.items()})
    theirs = _layers({name: array.shape for name, array in arrays.items()})
    for setting, value in ours.items():
        if theirs.get(setting) != value:
            raise SettingError(KEY, f"the trained model has {setting} {theirs.get(setting)}, but here it is {value}: set model.* as there")


def _layers(shapes: dict[str, tuple[int, ...]]) -> dict[str, object]:
    """Return the settings that shapes of weights depend on, apart from the vocabulary."""
    lefts = [shape for name, shape in shapes.items() if name.startswith("lstm_0_mogrifier_") and name.endswith("_left")]
    narrow = [shapes[f"tail_{i}"][1] for i in range(len(shapes)) if f"tail_{i}" in shapes]
    return {
        "model.layers": sum(name.endswith("_recurrent") for name in shapes),
        "model.hidden_size": shapes["lstm_0_recurrent"][0],
        "model.embedding_size": shapes["embedding"][1],
        "model.mogrifier_rounds": len(lefts),
        "model.mogrifier_rank": lefts[0][1] if lefts else None,
        "model.projection_size": shapes["projection"][1] if "projection" in shapes else None,
        "model.tie_weights": "softmax" not in shapes,
        "model.adaptive_cutoffs (clusters and their widths)": narrow,
    }
