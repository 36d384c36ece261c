"""What a training reports while it runs: rows of the history, samples, and the interface of whoever listens."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the history. Means are over the steps since the row before.

    Attributes:
        step: optimiser steps so far. words_seen: training words so far. epoch: 1 for the first.
        loss: mean, nats per word. learning_rate: of this step. gradient_norm: mean, before clipping.
        words_per_second: of training alone, without validation and samples.
        validation_loss: nats per word, at a validation (the end of an epoch is one), else None. validation_perplexity: its exponential.
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
    """What the model wrote at a step. temperature 0 is greedy."""

    step: int
    prompt: str
    temperature: float
    text: str


class Observer:
    """Told what happens in a training; every method may be left out."""

    def started(self, total_steps, epochs):
        """Before the first step."""

    def resumed(self, step, rows, samples):
        """After `started`, if the training goes on from a checkpoint: its step, and all that was told up to it."""

    def warm(self, seconds, step):
        """After the first call into TensorFlow of this process: what it took, tracing included, and the step it came to."""

    def stepped(self, step):
        """After every call, of one step or several."""

    def row(self, row):
        """A Row: every `status_every` steps and at each epoch's end."""

    def samples(self, samples):
        """A list of Sample: every `sample_every` steps and at the end."""

    def close(self):
        """After the last step, and also when the training was cut short."""
