import numpy as np
import pytest
from test_trainer import SOME, Recorder, make, new_model, settings

from lstm_lm.training import time_budget


def weights(trainer):
    return {name: variable.numpy() for name, variable in trainer.model.weights.items()}


@pytest.mark.parametrize(
    ("seconds", "step", "validation", "validations", "expected"),
    [
        (100, 0.1, 0, 0, 1000),
        (100, 0.1, 5, 0, 950),  # the last validation
        (100, 0.1, 10, 0.01, 450),  # and one every 100 steps: 450 steps of 0.1 s, and 4.5 and 1 validations of 10 s
        (1, 5, 5, 1, 1),  # there is always one
        (-3, 0.1, 1, 0, 1),
    ],
)
def test_hand_computed_numbers_of_steps(seconds, step, validation, validations, expected):
    assert time_budget.steps_in(seconds, step, validation, validations) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("short_windows", [0.0, 0.9])
def test_the_measurement_leaves_the_training_as_it_was(monkeypatch, short_windows):
    monkeypatch.setattr(time_budget, "MEASURED_SECONDS", 0.01)
    changes = settings(epochs=2, state_reset=0.2, ema_decay=0.9, short_windows=short_windows)
    trained = []
    for measures in (False, True):
        trainer = make(new_model(), sections=changes, regularization=SOME)
        if measures:
            before = weights(trainer)
            plan = time_budget.plan(trainer, 60)
            assert plan.steps > 1 and plan.step_seconds > 0 and plan.validation_seconds > 0
            for name, array in weights(trainer).items():
                np.testing.assert_array_equal(array, before[name])
        trainer.run()
        trained.append(weights(trainer))
    for name, array in trained[0].items():
        np.testing.assert_array_equal(array, trained[1][name], err_msg=name)


@pytest.mark.parametrize("steps", [1, 28, 29, 30, 100])
def test_a_training_ends_after_its_steps_and_its_learning_rate_with_it(steps):
    """An epoch has 29 steps."""
    recorder = Recorder()
    trainer = make(new_model(), sections=settings(epochs=None, minutes=1.0, schedule="cosine"), observers=[recorder])
    assert trainer.epoch_length == 29
    trainer.limit_steps(steps)
    result = trainer.run()
    assert result.steps == steps
    last = recorder.rows[-1]
    assert (last.step, last.epoch, last.validation_loss is not None) == (steps, -(-steps // 29), True)
    assert sum(row.validation_loss is not None for row in recorder.rows) == last.epoch
    assert last.learning_rate == pytest.approx(0, abs=1e-9)


def test_a_training_of_as_many_steps_as_its_epochs_have_is_the_same():
    trained = []
    for length in ({"epochs": 2}, {"epochs": None, "minutes": 1.0}):
        trainer = make(new_model(), sections=settings(**length), regularization=SOME)
        if length["epochs"] is None:
            trainer.limit_steps(58)
        trainer.run()
        trained.append(weights(trainer))
    for name, array in trained[0].items():
        np.testing.assert_array_equal(array, trained[1][name], err_msg=name)


def test_short_windows_count_as_often_as_they_occur(monkeypatch):
    """Whole windows take 0.5 s and short ones 0.1 s here."""
    trainer = make(new_model(), sections=settings(short_windows=0.4))
    whole = trainer.batches.sequence_length

    def measure(_, windows, seconds):
        assert len({window[0].shape for window in windows}) == 1
        return 0.5 if windows[0][0].shape[1] == whole else 0.1

    monkeypatch.setattr(time_budget, "_measure_group", measure)
    short = sum(window[0].shape[1] < whole for window in trainer.windows(1))
    assert 0 < short < trainer.epoch_length
    seconds = time_budget._measure_steps(trainer)
    assert seconds == pytest.approx(0.5 + (0.1 - 0.5) * short / trainer.epoch_length)
