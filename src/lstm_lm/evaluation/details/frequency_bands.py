"""Held-out loss by how often a word occurs in the training text: what a mean over all words hides."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_lm.evaluation.details.scored_split import ScoredSplit
from lstm_lm.text.tokenization.vocabulary import UNKNOWN_ID

EDGES = (10_000, 1_000, 100, 10)  # counts at which a band begins, falling


def by_frequency(split: ScoredSplit, counts: np.ndarray, edges: Sequence[int] = EDGES) -> list[dict[str, Any]]:
    """Compute the mean costs of the words of each frequency band.

    Args:
        split: what was scored.
        counts: int [vocabulary], occurrences of each id in the training text.
        edges: counts at which a band begins, falling.
    Returns:
        The bands that have any scored words, the most frequent first and unknown words last: as `ScoredSplit.group`, with a label, and
        the lowest and the highest count of the band (None: no limit).
    """
    bands = np.searchsorted(-np.asarray(edges), -counts, side="left")  # of each id: how many edges are above its count
    bands[UNKNOWN_ID] = len(edges) + 1
    rows = split.group(bands[split.targets], len(edges) + 2)
    limits = [*zip(edges, [None, *(edge - 1 for edge in edges)], strict=False), (0, edges[-1] - 1), (None, None)]
    return [
        {"label": _label(low, high), "low": low, "high": high, **row} for (low, high), row in zip(limits, rows, strict=True) if row["words"]
    ]


def _label(low: int | None, high: int | None) -> str:
    if low is None:
        return "unknown"
    if high is None:
        return f"{low:,} and more"
    return f"{low:,} to {high:,}" if low else f"below {high + 1:,}"
