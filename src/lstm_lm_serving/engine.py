"""The engine: one thread with one decode loop, in which the texts of all requests are rows of one batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lstm_lm_serving.limits import Limits
from lstm_lm_serving.stream import Stream
from lstm_lm_serving.texts import NextWords, Score, Statistics, Text


class Engine:
    """Generates the texts of all requests together (continuous batching). All methods may be called from any thread.

    Attributes:
        table: the table of generation options, as in assets/generation_options.json of the SavedModel.
        vocabulary: the words by their ids.
        limits: of requests.
    """

    table: dict[str, Any]
    vocabulary: list[str]
    limits: Limits

    def __init__(self, saved_model: str | Path, limits: Limits | None = None) -> None:
        """Load the SavedModel and warm it up, which takes seconds. The thread starts with the first request.

        Args:
            saved_model: folder.
            limits: of requests; None: the defaults.
        """
        raise NotImplementedError

    def submit(self, texts: Sequence[Text], deadline: float | None = None) -> Stream:
        """Start to generate texts.

        Args:
            texts: at least one.
            deadline: seconds from now until all texts must be complete; None: `limits.deadline_s`.
        Raises:
            Refused: something is not allowed, or cannot be done before the deadline: one line.
            Busy: too much is queued.
            Closed: the engine was closed.
        """
        raise NotImplementedError

    def score(self, texts: Sequence[str]) -> list[Score]:
        """Score texts, in the caller's thread.

        Raises:
            Refused: a text is empty or too long, or there are too many.
        """
        raise NotImplementedError

    def next_words(self, prompts: Sequence[str], k: int) -> list[NextWords]:
        """Return the k most probable next words after each prompt, in the caller's thread.

        Raises:
            Refused: a prompt or k is not allowed.
        """
        raise NotImplementedError

    def statistics(self) -> Statistics:
        """Return counters and gauges."""
        raise NotImplementedError

    def close(self) -> None:
        """End the thread. Requests that are not complete end with `Closed`. Waits until it has ended."""
        raise NotImplementedError
