from dataclasses import replace

import pytest

from lstm_lm.tracking import training_note
from lstm_lm.tracking.training_note import TrainingNote
from mlflow_helpers import ROW


def test_a_validation_makes_a_new_note_unless_the_last_one_is_seconds_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(training_note.time, "monotonic", lambda: now)
    note = TrainingNote()
    note.total_steps = 400
    assert note.row(ROW) is None  # no validation
    text = note.row(replace(ROW, step=20, validation_perplexity=300.0))
    assert text is not None
    assert "step 20 of 400, validation perplexity 300.0" in text
    now += 1
    assert note.row(replace(ROW, step=40, validation_perplexity=200.0)) is None
    now += training_note.NOTE_SECONDS + 1
    text = note.row(replace(ROW, step=60, validation_perplexity=250.0))
    assert text is not None
    assert "step 60 of 400, validation perplexity 250.0 (lowest so far: 200.0)" in text


@pytest.mark.parametrize(
    ("status", "problem", "expected"),
    [
        ("FINISHED", "", "Trained: step 10,"),
        ("KILLED", "", "Stopped at step 10,"),
        ("FAILED", "the loss is nan", "Failed at step 10, not validated yet: the loss is nan."),
        ("FAILED", "", "Failed at step 10, not validated yet."),
    ],
)
def test_the_last_note_says_how_the_training_ended(status: str, problem: str, expected: str) -> None:
    note = TrainingNote()
    note.row(ROW)
    assert note.end_text(status, problem).startswith(expected)
