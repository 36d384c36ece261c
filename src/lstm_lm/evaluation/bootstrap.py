"""Bootstrap intervals (Efron 1979): how much a held-out metric depends on the choice of the held-out text.

The cost of a word depends on the words around it, so whole stretches of text are resampled, with replacement, as many as there are:
documents, if the split has many; otherwise blocks of consecutive words within documents (the fixed-block bootstrap, Carlstein 1986).
An interval spans the 2.5th to the 97.5th percentile of the metric over all resamples. NumPy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_lm.evaluation.metrics import Metrics, metrics_from_sums

MIN_DOCUMENTS = 30  # with this many scored documents, documents are resampled
BLOCK_WORDS = 1000  # approximate length of a block: a scene of a play. Blocks are shorter where there would be fewer than MIN_BLOCKS
MIN_BLOCK_CHARACTERS = 5000  # characters and subwords are shorter than words, but a scene is not
MIN_BLOCKS = 20
MAX_STRETCHES = 2000  # where there are more, neighbors are resampled together
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Resampling:
    """How to resample. The same seed resamples the same stretches of texts of the same lengths."""

    samples: int
    seed: int


@dataclass(frozen=True)
class ScoredText:
    """The words of a split that are scored. Each list has one array per document.

    Attributes:
        nats: float [words - 1], the cost of each word.
        unknown: bool [words - 1], which of them are `<unk>`.
        characters: int [words - 1], of each word with its space.
        unknown_types: as in dataset.HeldOut.
    """

    nats: Sequence[np.ndarray]
    unknown: Sequence[np.ndarray]
    characters: Sequence[np.ndarray]
    unknown_types: int


def block_words(characters: Sequence[np.ndarray]) -> int:
    """Return the length of a block in words.

    Args:
        characters: int [words - 1] for each document, of each scored word with its space.
    """
    words, total = sum(map(len, characters)), sum(int(np.sum(of_document)) for of_document in characters)
    return max(BLOCK_WORDS, round(MIN_BLOCK_CHARACTERS * words / max(total, 1)))


def stretch_edges(lengths: Sequence[int], block: int = BLOCK_WORDS) -> np.ndarray:
    """Return where the stretches that are resampled begin.

    Args:
        lengths: scored words of each document, in order.
        block: words of a block.
    Returns:
        int64 [stretches + 1], rising from 0 to the number of scored words: positions in the costs of all documents, concatenated.
    """
    scored = np.array([length for length in lengths if length], np.int64)
    stops = np.cumsum(scored)
    if len(scored) >= MIN_DOCUMENTS:
        edges = np.concatenate([[0], stops])
    else:
        size = max(1, min(block, int(scored.sum()) // MIN_BLOCKS))
        # Blocks of a document are of nearly equal length: a short rest would be a block of little weight.
        blocks = [
            np.linspace(stop - length, stop, max(1, round(length / size)) + 1)[1:] for length, stop in zip(scored, stops, strict=True)
        ]
        edges = np.concatenate([[0], *blocks]).round().astype(np.int64)
    kept = np.linspace(0, len(edges) - 1, min(len(edges), MAX_STRETCHES + 1)).round().astype(np.int64)
    return np.asarray(edges[kept])


def resampled_sums(values: Sequence[np.ndarray], lengths: Sequence[int], resampling: Resampling, block: int = BLOCK_WORDS) -> np.ndarray:
    """Sum values over resampled stretches.

    Args:
        values: float [scored words] each, by the words of all documents, concatenated.
        lengths, block: as for `stretch_edges`.
        resampling: number of resamples, and the seed.
    Returns:
        float64 [len(values) + 1, samples]; the last row is the number of words.
    """
    edges = stretch_edges(lengths, block)
    sums = np.stack(
        [*(np.add.reduceat(np.asarray(value, np.float64), edges[:-1]) for value in values), np.diff(edges)]
    )  # [values, stretches]
    stretches = len(edges) - 1
    generator = np.random.default_rng(resampling.seed)
    counts = generator.multinomial(stretches, np.full(stretches, 1 / stretches), resampling.samples)  # [samples, stretches]
    return np.asarray(sums @ counts.T)


def metric_intervals(text: ScoredText, resampling: Resampling) -> Metrics:
    """Compute 95% intervals of the metrics of a split.

    Returns:
        {"loss_low": ..., "loss_high": ..., ...} of loss, perplexity, adjusted_perplexity and bits_per_character.
    """
    values = [np.concatenate(of_documents) for of_documents in (text.nats, text.unknown, text.characters)]
    lengths = [len(of_document) for of_document in text.nats]
    cost, unknown, characters, words = resampled_sums(values, lengths, resampling, block_words(text.characters))
    intervals = {}
    for name, metric in metrics_from_sums(cost, words, unknown, characters, text.unknown_types).items():
        intervals[f"{name}_low"], intervals[f"{name}_high"] = np.percentile(metric, PERCENTILES).tolist()
    return intervals


def loss_difference(
    nats: Sequence[np.ndarray], other: Sequence[np.ndarray], resampling: Resampling, block: int = BLOCK_WORDS
) -> tuple[float, float, float]:
    """Compute how much lower the loss of one model is than that of another on the same words: the paired bootstrap.

    Both losses are taken over the same resamples, so what makes a text hard for both cancels out. An interval without 0 says that
    one model is better, even where the intervals of the two losses overlap.

    Args:
        nats, other: float [words - 1] for each document, costs by the one and by the other model.
        resampling: number of resamples, and the seed.
        block: words of a block.
    Returns:
        (mean of other - nats, low, high), nats per word.
    Raises:
        ValueError: they are not costs of the same words.
    """
    lengths = list(map(len, nats))
    if lengths != list(map(len, other)):
        raise ValueError("costs of other documents cannot be paired")
    gain = np.concatenate(other).astype(np.float64) - np.concatenate(nats)
    total, words = resampled_sums([gain], lengths, resampling, block)
    low, high = np.percentile(total / words, PERCENTILES).tolist()
    return float(gain.mean()), low, high
