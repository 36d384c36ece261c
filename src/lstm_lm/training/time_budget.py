"""How many steps fit into a number of minutes: measured before the training starts, so that the learning rates end when the time does."""

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lstm_lm.training.feed import Window
from lstm_lm.training.trainer import CALL_SECONDS, MAX_STEPS_PER_CALL, Trainer

MEASURED_SECONDS = 3.0  # of steps, after the first call, which traces
MIN_CALLS = 3
LONG_VALIDATION_SECONDS = 20.0  # is not measured a second time
SAMPLED_WINDOWS = 200  # of the first epoch: how many of them are short


@dataclass(frozen=True)
class Plan:
    """What fits into the time.

    Attributes:
        steps: of the training, at least 1.
        step_seconds, validation_seconds: what one step and one validation take.
    """

    steps: int
    step_seconds: float
    validation_seconds: float


def plan(trainer: Trainer, seconds: float) -> Plan:
    """Measure the speed of a trainer, which is as before afterwards, and plan a training.

    Args:
        trainer: that has not started yet.
        seconds: for steps, validations, and this measurement.
    """
    start = time.perf_counter()
    step_seconds = _measure_steps(trainer)
    validation_seconds = _measure_validation(trainer)
    validate_every, epoch_steps = trainer.config.train.validate_every, trainer.epoch_length
    validations = 1 / epoch_steps + (1 / validate_every if validate_every else 0)
    left = seconds - (time.perf_counter() - start)
    return Plan(steps_in(left, step_seconds, validation_seconds, validations), step_seconds, validation_seconds)


def steps_in(seconds: float, step_seconds: float, validation_seconds: float, validations: float) -> int:
    """Compute how many steps fit into a time, with a validation after the last one.

    Args:
        seconds: there are.
        step_seconds, validation_seconds: what each takes.
        validations: for each step, besides the last one.
    """
    return max(1, math.floor((seconds - validation_seconds) / (step_seconds + validations * validation_seconds)))


def _measure_validation(trainer: Trainer) -> float:
    """Return the seconds of a validation. The first one, which traces and compiles, counts only if it is so long that this is little."""
    for _ in range(2):
        start = time.perf_counter()
        trainer.validation_loss()
        seconds = time.perf_counter() - start
        if seconds > LONG_VALIDATION_SECONDS:
            break
    return seconds


def _measure_steps(trainer: Trainer) -> float:
    """Return the mean seconds of a step, of whole and short windows. With a learning rate of 0 the weights stay as they are."""
    windows = list(itertools.islice(trainer.windows(1), SAMPLED_WINDOWS))
    by_length = {length: [each for each in windows if each[0].shape[1] == length] for length in {each[0].shape[1] for each in windows}}
    total = sum(len(group) * _measure_group(trainer, group, MEASURED_SECONDS / len(by_length)) for group in by_length.values())
    trainer.functions.optimizer.reset()
    return total / len(windows)


def _measure_group(trainer: Trainer, windows: Sequence[Window], seconds: float) -> float:
    """Return the seconds of a step on windows of one length, in calls as long as those of the training."""
    functions, whole = trainer.functions, trainer.batches.sequence_length
    train = functions.train_steps if windows[0][0].shape[1] == whole else functions.train_short_steps

    def call(steps: int) -> float:
        ids, targets = (np.stack(part) for part in zip(*itertools.islice(itertools.cycle(windows), steps), strict=True))
        start = time.perf_counter()
        train(ids, targets, trainer.state, tf.constant(1), tf.zeros([steps]))[0].numpy()
        return time.perf_counter() - start

    call(1)  # traces
    steps = min(MAX_STEPS_PER_CALL, max(1, int(CALL_SECONDS / call(1))))
    taken: list[float] = []
    while len(taken) < MIN_CALLS or sum(taken) < seconds:
        taken.append(call(steps))
    return float(np.mean(taken)) / steps
