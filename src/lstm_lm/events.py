"""What a training reports while it runs: rows of the history, samples, and the interface of an observer."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the history. Means are over the steps since the row before.

    Attributes:
        step: optimizer steps so far.
        words_seen: training words so far.
        epoch: 1 for the first.
        loss: mean, nats per word.
        learning_rate: at this step.
        gradient_norm: mean, before clipping.
        words_per_second: speed of the training steps alone, without validation and samples.
        validation_loss: nats per word at a validation (the end of an epoch is one), else None.
        validation_perplexity: exponential of `validation_loss`, or None.
    """

    step: int
    words_seen: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    words_per_second: float
    validation_loss: float | None = None
    validation_perplexity: float | None = None


@dataclass(frozen=True)
class Sample:
    """A text that the model generated at a step. Temperature 0 is greedy."""

    step: int
    prompt: str
    temperature: float
    text: str


ROW_METRICS = {  # name in MLflow and TensorBoard -> attribute of Row
    "train/loss": "loss",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/words_per_second": "words_per_second",
    "train/words_seen": "words_seen",
    "validation/loss": "validation_loss",
    "validation/perplexity": "validation_perplexity",
}


class Observer:
    """Gets the events of a training. A subclass overrides the methods that it needs."""

    def started(self, total_steps: int, epochs: int) -> None:
        """Called before the first step."""

    def resumed(self, step: int, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        """Called after `started` if the training resumes from a checkpoint.

        Args:
            step: of the checkpoint.
            rows, samples: all that were reported up to that step.
        """

    def warm(self, seconds: float, step: int) -> None:
        """Called after the first call into TensorFlow.

        Args:
            seconds: time of that call, tracing included.
            step: the step that it reached.
        """

    def stepped(self, step: int) -> None:
        """Called after every call into TensorFlow, which takes one step or several."""

    def row(self, row: Row) -> None:
        """Called with a new row: every `status_every` steps and at the end of each epoch."""

    def samples(self, samples: Sequence[Sample]) -> None:
        """Called with new samples: every `sample_every` steps and at the end."""

    def close(self) -> None:
        """Called after the last step, also if the training was stopped."""
