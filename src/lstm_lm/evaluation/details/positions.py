"""Held-out loss by position in a document: how much a model gains from a longer context."""

from typing import Any

import numpy as np

from lstm_lm.evaluation.details.scored_split import ScoredSplit

FIRST_EDGES = (1, 2, 5)  # times a power of ten
MIN_WORDS = 100  # of a bin; a mean over fewer words says little


def by_position(split: ScoredSplit, min_words: int = MIN_WORDS) -> list[dict[str, Any]]:
    """Compute the mean costs of the words in each stretch of the documents.

    The stretches are words 0 to 9, 10 to 19, 20 to 49, 50 to 99, 100 to 199 and so on, counted from each document's first word, which is
    not scored. One with too few words, of all documents together, is joined with the next one; the last, with the one before it.

    Args:
        split: what was scored.
        min_words: in all documents together.
    Returns:
        As `ScoredSplit.group`, with the position at which the stretch starts, and the one before which it ends.
    """
    longest = int(split.lengths.max(initial=0)) + 1
    words = np.bincount(split.positions, minlength=longest)
    ends: list[int] = []
    for end in _edges(longest):
        begin = ends[-1] if ends else 0
        if words[begin:end].sum() >= min_words:
            ends.append(end)
    if not len(split.positions):
        return []
    ends = [*ends[:-1], longest] if ends else [longest]
    rows = split.group(np.searchsorted(ends, split.positions, side="right"), len(ends))
    return [{"start": start, "end": end, **row} for start, end, row in zip([0, *ends[:-1]], ends, rows, strict=True)]


def _edges(longest: int) -> list[int]:
    """Return where stretches end: 10, 20, 50, 100, ... and `longest`, above all positions."""
    edges = [first * 10**power for power in range(1, len(str(longest)) + 1) for first in FIRST_EDGES]
    return [*(edge for edge in edges if edge < longest), longest]
