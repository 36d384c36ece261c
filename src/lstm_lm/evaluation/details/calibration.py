"""Calibration: whether what a model predicts with a probability of 30% comes in 30% of the cases (Guo et al. 2017)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 10
TOPS = (1, 5, 10)


@dataclass(frozen=True)
class Predictions:
    """What a model predicted before each of some words.

    Attributes:
        top_probability: float [words], of the most probable token.
        rank: int [words], how many tokens were more probable than the one that came.
    """

    top_probability: np.ndarray
    rank: np.ndarray


def calibration(predictions: Predictions, bins: int = BINS) -> dict[str, Any] | None:
    """Compare the probability of the most probable token with how often it came.

    Args:
        predictions: of `<unk>` like of any other token.
        bins: of equal width, over the probability.
    Returns:
        {"words": how many, "bins": [{"low": ..., "high": ..., "words": ..., "mean_probability": ..., "fraction_correct": ...}] of the bins
        that are not empty, "expected_calibration_error": mean over all words of |mean probability - fraction correct| of their bin,
        "top_1", "top_5", "top_10": how often the token that came was among the most probable ones}. None without any words.
    """
    words = len(predictions.rank)
    if not words:
        return None
    probability, is_correct = predictions.top_probability.astype(np.float64), predictions.rank < 1
    places = np.minimum((probability * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins)
    means, fractions = (np.bincount(places, values, bins) / np.maximum(counts, 1) for values in (probability, is_correct))
    return {
        "words": words,
        "bins": [
            {
                "low": i / bins,
                "high": (i + 1) / bins,
                "words": int(counts[i]),
                "mean_probability": float(means[i]),
                "fraction_correct": float(fractions[i]),
            }
            for i in np.flatnonzero(counts).tolist()
        ],
        "expected_calibration_error": float(np.sum(counts * abs(means - fractions)) / words),
        **{f"top_{k}": float(np.mean(predictions.rank < k)) for k in TOPS},
    }
