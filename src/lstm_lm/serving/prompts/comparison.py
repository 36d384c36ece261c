"""How prompts differ from the validation text, and whether by more than chance: bootstrap intervals of both and of the difference.

What is resampled are prompts (each different one with all its repetitions, which are no independent observations), and blocks of the
validation text (evaluation/bootstrap.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lstm_lm.evaluation import bootstrap
from lstm_lm.evaluation.bootstrap import PERCENTILES, Resampling
from lstm_lm.serving.prompts.texts import Texts

UNKNOWN, SURPRISAL, KNOWN_SURPRISAL, CHARACTERS = "unknown", "surprisal", "known_surprisal", "characters"
SAMPLES = 1000
_Sums = np.ndarray  # [values, ...]: words, unknown words, scored words, bits, known scored words, their bits, characters
RATIOS: dict[str, Callable[[_Sums], np.ndarray]] = {
    UNKNOWN: lambda sums: sums[1] / sums[0],
    SURPRISAL: lambda sums: sums[3] / sums[2],
    KNOWN_SURPRISAL: lambda sums: sums[5] / sums[4],
    CHARACTERS: lambda sums: sums[6] / sums[2],
}


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; NaN where it cannot be computed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measure:
    """A measure of the prompts, of the validation text, and the difference, prompts - validation."""

    prompts: Estimate
    validation: Estimate
    difference: Estimate

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        return self.difference.low > 0 or self.difference.high < 0


def compare(
    prompts: Texts, prompt_nats: Sequence[np.ndarray], validation: Texts, validation_nats: Sequence[np.ndarray], seed: int
) -> dict[str, Measure]:
    """Compare prompts with the validation text.

    Args:
        prompts, validation: the texts.
        prompt_nats, validation_nats: float [words - 1] for each text, as `scoring.score` returns them.
        seed: of the resampling.
    Returns:
        unknown: fraction of all words that are not in the vocabulary. surprisal: bits of a scored word, with the
            cost of naming unknown ones. known_surprisal: of known words alone. characters: of a scored word, with the space before it.
    """
    ours, theirs = word_values(prompts, prompt_nats), word_values(validation, validation_nats)
    # Independent samples of both: other seeds.
    our_sums = _resampled(ours, [len(ids) for ids in prompts.ids], Resampling(SAMPLES, seed))
    their_sums = _resampled(theirs, _document_lengths(validation), Resampling(SAMPLES, seed + 1))
    measures = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, ratio in RATIOS.items():
            value, other = float(ratio(ours.sum(1))), float(ratio(theirs.sum(1)))
            samples, other_samples = ratio(our_sums), ratio(their_sums)
            measures[name] = Measure(
                _estimate(value, samples), _estimate(other, other_samples), _estimate(value - other, samples - other_samples)
            )
    return measures


def word_values(texts: Texts, nats: Sequence[np.ndarray]) -> np.ndarray:
    """Return what is added up for each word, times the count of its text: float64 [7, words of all texts], in the order of `_Sums`."""
    columns = [_of_text(*each) for each in zip(texts.unknown, nats, texts.characters, texts.counts, strict=True)]
    return np.concatenate(columns, axis=1)


def _of_text(unknown: np.ndarray, nats: np.ndarray, characters: np.ndarray, count: int) -> np.ndarray:
    first = np.zeros(1)
    scored = np.ones(len(unknown))
    scored[0] = 0
    bits = np.concatenate([first, np.asarray(nats, np.float64) / math.log(2)])
    known = scored * ~unknown
    values = [np.ones(len(unknown)), unknown, scored, bits, known, bits * known, np.concatenate([first, characters])]
    return count * np.stack(values).astype(np.float64)


def _document_lengths(texts: Texts) -> list[int]:
    """Words of the kept pieces of each document."""
    edges = np.cumsum([0, *texts.documents])
    return [sum(len(ids) for ids in texts.ids[start:stop]) for start, stop in pairwise(edges)]


def _resampled(values: np.ndarray, lengths: Sequence[int], resampling: Resampling) -> np.ndarray:
    """Sums over resampled texts: float64 [7, samples]."""
    block = bootstrap.block_words([values[6]])
    return bootstrap.resampled_sums(list(values), lengths, resampling, block)[: len(values)]


def _estimate(value: float, samples: np.ndarray) -> Estimate:
    finite = samples[np.isfinite(samples)]
    if not len(finite) or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan)
    low, high = np.percentile(finite, PERCENTILES).tolist()
    return Estimate(value, low, high)
