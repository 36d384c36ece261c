"""What the PyTorch peers do with time and text that needs no PyTorch: schedules over the fraction of the time, and sliding windows."""

import math
from typing import Iterator, Tuple

WARM_UP = 0.05  # fraction of the time
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1e-5  # factors
ONE_CYCLE_PEAK = 0.25  # fraction of the time
HIGH_MOMENTUM, LOW_MOMENTUM = 0.8, 0.7


def cosine(progress: float) -> float:
    """Return the factor of the learning rate after a fraction of the time: a linear warm-up, then half a cosine to 0."""
    if progress < WARM_UP:
        return progress / WARM_UP
    return _between(1.0, 0.0, (progress - WARM_UP) / (1 - WARM_UP))


def one_cycle(progress: float) -> Tuple[float, float]:
    """Return the factor of the learning rate and the momentum after a fraction of the time (Smith 2018, both along half cosines)."""
    if progress < ONE_CYCLE_PEAK:
        fraction = progress / ONE_CYCLE_PEAK
        return _between(ONE_CYCLE_START, 1.0, fraction), _between(HIGH_MOMENTUM, LOW_MOMENTUM, fraction)
    fraction = (progress - ONE_CYCLE_PEAK) / (1 - ONE_CYCLE_PEAK)
    return _between(1.0, ONE_CYCLE_END, fraction), _between(LOW_MOMENTUM, HIGH_MOMENTUM, fraction)


def _between(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(fraction, 1.0))) / 2


def sliding_windows(words: int, context: int) -> Iterator[Tuple[int, int, int]]:
    """Yield the windows in which a model with a limited context scores every word of a document but the first, each once.

    Args:
        words: of the document.
        context: how many words the model reads at most.
    Yields:
        (start, stop, skipped): the window reads the words `start` to `stop` - 2 and predicts `start` + 1 to `stop` - 1. The first
        `skipped` predictions belong to the window before. From the second window on, each word is predicted from half a context or more.
    """
    step = context // 2
    kept = context - step
    for start in range(0, max(1, words - 1 - kept), step):
        yield start, min(start + context + 1, words), kept if start else 0
