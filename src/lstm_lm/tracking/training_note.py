"""The note of a run while it trains, and of one that has not been evaluated yet."""

import math
import os
import time

from lstm_lm.events import Row
from lstm_lm.ui.report import note

NOTE_SECONDS = 30  # between two notes on how far the training is
STATES = {"FINISHED": "trained", "KILLED": "stopped", "FAILED": "failed"}  # by the status of the run


class TrainingNote:
    """Follows a training, and says how far it is.

    Attributes:
        total_steps: of the training, None until it is known.
    """

    def __init__(self) -> None:
        self.total_steps: int | None = None
        self._step = 0
        self._perplexities: list[float] = []  # of the validations so far
        self._made = -math.inf  # when the last text was made

    def row(self, row: Row) -> str | None:
        """Take a row into account. Returns a new text after a validation, unless the last one is seconds old."""
        self._step = row.step
        if row.validation_perplexity is None:
            return None
        self._perplexities.append(row.validation_perplexity)
        return self.text("running") if time.monotonic() - self._made > NOTE_SECONDS else None

    def text(self, state: str) -> str:
        """Return the note.

        Args:
            state: see `note.of_training`.
        """
        self._made = time.monotonic()
        perplexity, best = (self._perplexities[-1], min(self._perplexities)) if self._perplexities else (None, None)
        return note.of_training(state, self._step, self.total_steps, perplexity, best, os.environ.get("DVC_EXP_NAME"))

    def end_text(self, status: str, problem: str) -> str:
        """Return the note of a training that has ended.

        Args:
            status: of the run: FINISHED, FAILED or KILLED.
            problem: why it failed, "" if that is not known.
        """
        state = STATES.get(status, "stopped")
        return self.text(f"{state}: {problem}" if state == "failed" else state)
