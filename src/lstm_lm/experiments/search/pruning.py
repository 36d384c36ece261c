"""Pruning: a trial that is worse than the median of the earlier trials ends early."""

import math
from typing import TYPE_CHECKING

from lstm_lm.config.schema import Train
from lstm_lm.data import windows
from lstm_lm.data.dataset import Batches
from lstm_lm.events import Observer, Row
from lstm_lm.ui import terminal

if TYPE_CHECKING:
    from optuna import Trial


class Pruned(Exception):
    """A trial is worse than the median of the trials before it, at the same fraction of the training."""


class Pruning(Observer):
    """Reports each validation of a training to a trial, and ends the training when the study's pruner says so.

    Args:
        trial: of the study.
        validations: in a whole training. A report is numbered by the fraction of the training times this number, so that trials with
            different batch sizes compare. Validations at nearly the same fraction, as at the end of an epoch, are one report.
        can_prune: whether the training may end early.
    """

    def __init__(self, trial: "Trial", validations: int, can_prune: bool = True) -> None:
        self.trial = trial
        self.validations = validations
        self.can_prune = can_prune
        self.total_steps = 0
        self.last_report = 0

    def started(self, total_steps: int, epochs: int) -> None:
        self.total_steps = total_steps

    def row(self, row: Row) -> None:
        """Report a validation.

        Raises:
            Pruned: the trial is not worth the rest of the training.
        """
        if row.validation_loss is None:
            return
        fraction = row.step / self.total_steps
        report = round(fraction * self.validations)
        if report <= self.last_report:
            return
        self.last_report = report
        terminal.print(f"  {fraction:4.0%} of the training: validation perplexity {row.validation_perplexity:.1f}")
        # The loss orders trials as the perplexity does, and does not overflow.
        self.trial.report(row.validation_loss, report)
        if self.can_prune and row.step < self.total_steps and self.trial.should_prune():
            raise Pruned


def validation_interval(settings: Train, batches: Batches, validations: int) -> int | None:
    """Return the steps between validations for a number of them in a training, or None if the ends of the epochs are enough.

    It is rounded up: the end of the training is validated anyway, and another validation right before it would say the same.
    """
    assert settings.epochs is not None  # a trial is some epochs long, see `space.load`
    data = batches.train, batches.recipe, batches.sequence_length, settings.seed
    steps = sum(windows.steps_per_epoch(*data, 1 + epoch, settings.short_windows) for epoch in range(settings.epochs))
    return None if validations <= settings.epochs else math.ceil(steps / validations)
