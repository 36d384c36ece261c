"""Where a training stands, and how it can end."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Result:
    """How a training ended. The weights in the model are those of `best_step`."""

    steps: int
    best_step: int
    best_epoch: int
    best_validation_loss: float
    seconds: float
    stopped_early: bool


class Stopped(Exception):
    """The training was asked to stop, and stopped after a whole step."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


class Diverged(Exception):
    """A loss or a gradient from which no training recovers.

    The model has the last good weights.

    Attributes:
        step, epoch: where it happened.
        loss: nats per word. norm: of the gradient, before clipping.
        kept_step: the step of the weights that the model has now.
    """

    def __init__(self, step: int, epoch: int, loss: float, norm: float, kept_step: int) -> None:
        super().__init__(f"step {step}: loss {loss:g}, gradient norm {norm:g}")
        self.step, self.epoch, self.loss, self.norm, self.kept_step = step, epoch, loss, norm, kept_step


@dataclass(frozen=True)
class Best:
    """The best validation so far."""

    loss: float
    step: int
    epoch: int


@dataclass
class Progress:
    """Where a training stands between two steps. With the weights and the optimizer's moments it is all that a resumed training needs.

    Random numbers need no state of their own: they depend only on the seed, the epoch and the step.

    Attributes:
        step: optimizer steps done.
        words: training words seen in them.
        epoch: 1 for the first.
        position: windows of this epoch that are done.
        best: of the best weights; None before the first validation.
        losses, norms: of each step since the last row.
        row_seconds: spent in the steps since the last row.
        row_words: training words that had been seen at the last row.
        seconds: of training so far, in all processes that took part.
        sampled_steps: steps whose samples have been reported.
        rows, samples: all that has been reported, as dicts.
    """

    step: int = 0
    words: int = 0
    epoch: int = 1
    position: int = 0
    best: Best | None = None
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    row_seconds: float = 0.0
    row_words: int = 0
    seconds: float = 0.0
    sampled_steps: list[int] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Progress":
        """Make a Progress from what `dataclasses.asdict` made of one."""
        best = values["best"]
        return cls(**{**values, "best": None if best is None else Best(**best)})
