"""What is recorded of a request while it is answered, for the access log and the metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

KEY = "lstm_lm.record"  # in the scope of ASGI


@dataclass
class Record:
    """A request.

    Attributes:
        id: as the client sent it, or made here.
        started: seconds of `time.perf_counter`.
        words: generated or scored for it.
        first_word_seconds: from its start to its first generated word; None: not yet, or nobody waited for it.
        status: of the response; 499 if the client left before it began.
    """

    id: str
    started: float = field(default_factory=time.perf_counter)
    words: int = 0
    first_word_seconds: float | None = None
    status: int = 499

    def count_words(self, words: int) -> None:
        """Add generated words."""
        if words and self.first_word_seconds is None:
            self.first_word_seconds = self.seconds()
        self.words += words

    def seconds(self) -> float:
        """The time since its start."""
        return time.perf_counter() - self.started


def of(scope: Any) -> Record:
    """Return the record of a request."""
    record: Record = scope[KEY]
    return record
