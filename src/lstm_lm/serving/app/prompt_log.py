"""The log of prompts, which is off unless the server was started with --log-prompts. A thread writes it: no request waits for the disk."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lstm_lm.serving.app import log
from lstm_lm.serving.prompts.files import LoggedPrompt, PromptWriter

if TYPE_CHECKING:
    from lstm_lm.serving.app.models import ServedModel

MAX_WAITING = 1_000  # requests
_Waiting = tuple["ServedModel", Sequence[str], str, str]


class PromptLog:
    """Logs the prompts that are to be continued.

    Attributes:
        logged: number of prompts that were written so far.
        dropped: number of those that were not: the disk is full, or too slow.
    """

    def __init__(self, writer: PromptWriter) -> None:
        """Start the thread."""
        self.logged = self.dropped = 0
        self._writer = writer
        self._has_failed = False
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="prompt log", daemon=True)
        self._thread.start()

    def offer(self, model: ServedModel, prompts: Sequence[str], request_id: str) -> None:
        """Take the prompts of a request. Never waits."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            self._waiting.put_nowait((model, prompts, request_id, time))
        except queue.Full:
            self._count_dropped(len(prompts))

    def close(self) -> None:
        """Write what still waits."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            self._log(*waiting)
        self._writer.close()

    def _log(self, model: ServedModel, prompts: Sequence[str], request_id: str, time: str) -> None:
        before = self._writer.written
        try:
            self._writer.write([self._line(model, prompt, request_id, time).encode() for prompt in prompts])
            self._has_failed = False
        except Exception as error:  # whatever it is, the thread lives on, and requests are answered
            if not self._has_failed:
                log.event("prompts not logged", logging.ERROR, reason=f"{type(error).__name__}: {error}")
            self._has_failed = True
        written = self._writer.written - before
        self.logged += written
        self._count_dropped(len(prompts) - written)

    def _line(self, model: ServedModel, prompt: str, request_id: str, time: str) -> LoggedPrompt:
        tokens = model.loaded.tokenizer.tokenize(prompt)
        unknown = tuple(dict.fromkeys(token for token in tokens if token not in model.known))
        return LoggedPrompt(time, request_id, model.id, model.fingerprint, prompt, len(tokens), unknown)

    def _count_dropped(self, number: int) -> None:
        with self._lock:
            self.dropped += number
