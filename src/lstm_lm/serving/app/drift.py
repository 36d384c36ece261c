"""How prompts compare with the validation text: a few of them are scored in the background."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from lstm_lm_serving.errors import ServingError
from lstm_lm_serving.texts import Score

INTERVAL = 1.0  # seconds between two prompts that are scored
MAX_CHARACTERS = 1_000  # of a prompt: the rest of it is left out
RECENT_WORDS = 5_000


class Drift:
    """The surprisal of recent prompts. Here they are neither kept nor logged.

    Attributes:
        words: number of words scored so far.
        bits: sum of their surprisals.
    """

    def __init__(self, score: Callable[[str], Score]) -> None:
        """Start the thread.

        Args:
            score: scores a text.
        """
        self.words, self.bits = 0, 0.0
        self._score = score
        self._next = 0.0
        self._prompts: queue.Queue[str | None] = queue.Queue(1)
        self._recent: deque[tuple[int, float]] = deque()
        threading.Thread(target=self._run, name="drift", daemon=True).start()

    def offer(self, prompts: Sequence[str]) -> None:
        """Take one of the prompts of a request, unless another was taken a moment ago. Never waits."""
        now = time.monotonic()
        if prompts and now >= self._next:
            self._next = now + INTERVAL
            with contextlib.suppress(queue.Full):
                self._prompts.put_nowait(prompts[0][:MAX_CHARACTERS])

    def recent_bits(self) -> float | None:
        """Return the mean surprisal of the recent words, None before the first one."""
        recent = list(self._recent)
        words = sum(count for count, _ in recent)
        return sum(bits for _, bits in recent) / words if words else None

    def close(self) -> None:
        """End the thread."""
        with contextlib.suppress(queue.Full):
            self._prompts.put(None, timeout=1)

    def _run(self) -> None:
        while (prompt := self._prompts.get()) is not None:
            with contextlib.suppress(ServingError):
                self._add([nats for nats in self._score(prompt).nats if nats is not None])

    def _add(self, nats: Sequence[float]) -> None:
        if nats:
            bits = sum(nats) / math.log(2)
            self.words, self.bits = self.words + len(nats), self.bits + bits
            self._recent.append((len(nats), bits))
            while sum(count for count, _ in self._recent) > RECENT_WORDS:
                self._recent.popleft()
