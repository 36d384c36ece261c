"""The thread beside the decode loop: for work that cannot be done in small pieces."""

import heapq
import itertools
import threading
from collections.abc import Callable

IDLE_SECONDS = 30.0


class Background:
    """Does one thing after the other in a thread of its own, small ones first. The thread starts with the first, and ends when idle."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def put(self, cost: float, work: Callable[[], None]) -> None:
        """Add work.

        Args:
            cost: work of a lower one comes first.
            work: must not raise.
        """
        with self._condition:
            heapq.heappush(self._waiting, (cost, next(self._numbers), work))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lstm_lm background", daemon=True)
                self._thread.start()
            self._condition.notify()

    def clear(self) -> None:
        """Forget the work that waits, and let the thread end."""
        with self._condition:
            self._waiting.clear()
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._waiting:
                    self._condition.wait(IDLE_SECONDS)
                if not self._waiting:
                    self._thread = None
                    return
                _, _, work = heapq.heappop(self._waiting)
            work()
            del work
