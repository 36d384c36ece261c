"""Statistics of repeated measurements."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Median and range of a list of values."""

    median: float
    minimum: float
    maximum: float


def median(values: Iterable[float]) -> float | None:
    """Return the median, or None of no values."""
    values = list(values)
    return statistics.median(values) if values else None


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """Compare two systems round by round.

    Args:
        ours: seconds in each round.
        theirs: seconds of the other system in the same rounds.

    Returns:
        Spread of theirs / ours, or None without any common round.
    """
    each = [their / our for our, their in zip(ours, theirs, strict=False)]
    return Spread(statistics.median(each), min(each), max(each)) if each else None
