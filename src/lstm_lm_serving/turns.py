"""Turns: threads that share something do their work piece by piece, and those that have had the least come first."""

import contextlib
import heapq
import itertools
import threading
from collections.abc import Iterator


class Turns:
    """Lets one thread at a time do a piece of work. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: list[tuple[float, int]] = []
        self._numbers = itertools.count()
        self._is_taken = False

    @contextlib.contextmanager
    def turn(self, cost: float) -> Iterator[None]:
        """Wait for a turn, which lasts as long as the block.

        Args:
            cost: what this thread's work has taken so far: lower ones come first, equal ones in their order.
        """
        with self._condition:
            place = cost, next(self._numbers)
            heapq.heappush(self._waiting, place)
            try:
                self._condition.wait_for(lambda: not self._is_taken and self._waiting[0] == place)
                self._is_taken = True
            finally:  # also if the wait was interrupted
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
                self._condition.notify_all()
        try:
            yield
        finally:
            with self._condition:
                self._is_taken = False
                self._condition.notify_all()
