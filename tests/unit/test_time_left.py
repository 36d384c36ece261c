"""Estimates of the time left, with a clock that the test sets."""

import pytest

from lstm_lm.ui.time_left import TimeLeft


class Training:
    """A training whose clock is moved by hand."""

    def __init__(self, total: int) -> None:
        self.now, self.step = 100.0, 0
        self.left = TimeLeft(total, lambda: self.now)

    def call(self, seconds: float, steps: int = 1) -> float | None:
        """Take steps in one call into TensorFlow, and return the estimate after it."""
        self.now, self.step = self.now + seconds, self.step + steps
        self.left.stepped(self.step)
        return self.left.seconds()


def test_calls_that_trace_are_no_basis_of_an_estimate() -> None:
    training = Training(1000)
    training.call(5)
    training.left.start(training.step)
    estimates = [training.call(2), training.call(2.2), training.call(0.5)]  # graphs of other shapes are traced
    estimates += [training.call(0.008) for _ in range(996)]
    known = [estimate for estimate in estimates if estimate is not None]
    assert estimates[:250] == [None] * 250  # two seconds of training
    assert known and max(known) < 8
    assert known[-1] == 0


def test_an_estimate_follows_the_pace_smoothly() -> None:
    training = Training(10_000)
    training.left.start(0)
    steady = [training.call(0.5) for _ in range(103)][-1]
    assert steady == pytest.approx(0.5 * (10_000 - 103))
    after_a_validation = training.call(5)
    assert after_a_validation is not None and steady < after_a_validation < steady * 1.2
    for _ in range(2000):
        slower = training.call(1)
    assert slower == pytest.approx(1.0 * (10_000 - training.step), rel=0.01)


def test_a_resumed_training_counts_from_where_it_resumes() -> None:
    training = Training(1000)
    training.step = 900
    training.left.start(900)
    for _ in range(20):
        left = training.call(1)
    assert left == pytest.approx(80)


def test_the_end_needs_no_basis() -> None:
    training = Training(2)
    assert [training.call(0.1), training.call(0.1)] == [None, 0]
