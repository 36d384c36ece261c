"""What the engine counts."""

import threading
from collections import deque

WINDOW_SECONDS = 5.0  # of work, for the words per second


class Counters:
    """Counters that any thread may read and raise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values = dict.fromkeys(
            ["accepted", "refused", "completed", "cancelled", "expired", "prompt_words", "known_words", "words", "steps"], 0
        )
        self._busy_seconds = 0.0
        self._chunks: deque[tuple[float, int]] = deque()  # seconds and words
        self._window_seconds, self._window_words = 0.0, 0

    def add(self, **counts: int) -> None:
        """Raise counters by their names."""
        with self._lock:
            for name, count in counts.items():
                self._values[name] += count

    def add_chunk(self, seconds: float, words: int, steps: int) -> None:
        """Count a chunk of the decode loop."""
        with self._lock:
            self._values["words"] += words
            self._values["steps"] += steps
            self._busy_seconds += seconds
            self._chunks.append((seconds, words))
            self._window_seconds += seconds
            self._window_words += words
            while self._window_seconds > WINDOW_SECONDS:
                old_seconds, old_words = self._chunks.popleft()
                self._window_seconds -= old_seconds
                self._window_words -= old_words

    def values(self) -> dict[str, int | float]:
        """Return all counters, the busy seconds and the words per second."""
        with self._lock:
            rate = self._window_words / self._window_seconds if self._chunks else 0.0
            return {**self._values, "busy_seconds": self._busy_seconds, "words_per_second": rate}
