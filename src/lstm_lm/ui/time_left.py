"""How long a training will still take."""

import math
import time
from collections.abc import Callable

FIRST_CALLS = 3  # into TensorFlow after the first one: they may trace more graphs, and start threads
BASIS_SECONDS = 2.0  # of training that an estimate needs
MEMORY_SECONDS = 120.0  # what happened longer ago hardly counts, so that an estimate follows the machine's load


class TimeLeft:
    """Estimates the time left from the recent pace of a training, its validations and samples included.

    There is no estimate before there is a basis for it: the first calls into TensorFlow take up to a thousand times as long as the others.

    Args:
        total: steps of the training.
        clock: returns seconds.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._clock = clock
        self._calls = 0
        self._step = 0
        self._time = 0.0
        self._seconds = self._steps = 0.0  # recent ones, the older the lighter

    def start(self, step: int) -> None:
        """Forget all steps so far: `step` is the first that counts."""
        self._calls, self._step, self._time = 0, step, self._clock()
        self._seconds = self._steps = 0.0

    def stepped(self, step: int) -> None:
        """Take note of a call into TensorFlow that has reached a step."""
        now = self._clock()
        seconds, steps = now - self._time, step - self._step
        if not steps:
            return
        self._time, self._step = now, step
        self._calls += 1
        if self._calls > FIRST_CALLS:
            weight = math.exp(-seconds / MEMORY_SECONDS)
            self._seconds = self._seconds * weight + seconds
            self._steps = self._steps * weight + steps

    def seconds(self) -> float | None:
        """Return the estimate in seconds, or None as long as there is no basis for one."""
        if self._step >= self.total:
            return 0.0
        if self._seconds < BASIS_SECONDS:
            return None
        return self._seconds / self._steps * (self.total - self._step)
