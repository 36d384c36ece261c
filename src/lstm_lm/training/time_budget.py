"""How many steps fit into a number of minutes: measured before the training starts, so that the learning rates end when the time does."""

import itertools
import math
import time
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lstm_lm.training.trainer import Trainer

MEASURED_SECONDS = 3.0  # of steps, after the first call, which traces
MIN_CALLS = 3
STEPS_PER_CALL = 2


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
    before = time.perf_counter()
    trainer.validation_loss()
    now = time.perf_counter()
    validate_every, epoch_steps = trainer.config.train.validate_every, trainer.epoch_length
    validations = 1 / epoch_steps + (1 / validate_every if validate_every else 0)
    return Plan(steps_in(seconds - (now - start), step_seconds, now - before, validations), step_seconds, now - before)


def steps_in(seconds: float, step_seconds: float, validation_seconds: float, validations: float) -> int:
    """Compute how many steps fit into a time, with a validation after the last one.

    Args:
        seconds: there are.
        step_seconds, validation_seconds: what each takes.
        validations: for each step, besides the last one.
    """
    return max(1, math.floor((seconds - validation_seconds) / (step_seconds + validations * validation_seconds)))


def _measure_steps(trainer: Trainer) -> float:
    """Return the seconds of a step. With a learning rate of 0 the weights stay as they are."""
    windows = list(itertools.islice(trainer.windows(1), STEPS_PER_CALL))
    ids, targets = (np.stack(part) for part in zip(*(window for window in windows if window[0].shape == windows[0][0].shape), strict=True))
    functions, rates = trainer.functions, tf.zeros([len(ids)])
    train = functions.train_steps if ids.shape[2] == trainer.batches.sequence_length else functions.train_short_steps
    train(ids, targets, trainer.state, tf.constant(1), rates)
    taken: list[float] = []
    while len(taken) < MIN_CALLS or sum(taken) < MEASURED_SECONDS:
        start = time.perf_counter()
        train(ids, targets, trainer.state, tf.constant(1), rates)[0].numpy()
        taken.append(time.perf_counter() - start)
    functions.optimizer.reset()
    return float(np.mean(taken)) / len(ids)
