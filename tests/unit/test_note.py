import re

import pytest

from card_inputs import METRICS, run_files
from lstm_lm.ui.report import note


def test_the_note_begins_with_the_result_and_has_table_files_samples_links_and_reproduction() -> None:
    text = note.of_result(run_files({"run": {"commit": "abc123", "dirty": True}}), ["model_card.md", "metrics.json"])
    assert text.splitlines()[0].startswith("Perplexity 166.4 per word on the test text (95% interval 158.7 to 174.4)")
    assert "| perplexity | 166.4 | 157.2 |" in text
    assert "| 95% interval | 158.7 to 174.4 |  |" in text
    assert "| Kneser-Ney n-grams, perplexity | 250.7 | - |" in text
    assert "| words | 43,628 | 46,648 |" in text
    assert "Test text: `` histories/king`john.txt ``." in text
    assert "[model_card.md](run:artifacts/model_card.md), [metrics.json](run:artifacts/metrics.json)" in text
    assert "check out commit `abc123`, put" in text
    assert text.endswith("The checkout had uncommitted changes, which the commit does not contain.")


def test_samples_are_of_the_middle_temperature_and_shown_as_they_are() -> None:
    text = note.of_result(run_files(), [])
    assert "Samples, temperature 0.7:" in text
    assert r"- **thou art** the \*star\* of &lt;unk\> &amp; \[all\]" in text
    assert "- **to be** or / not" in text
    assert "odd" not in text


def test_a_run_without_samples_files_or_validation_has_a_note() -> None:
    files = run_files({"splits": None}, {"test": METRICS["test"]})
    text = note.of_result(type(files)(files.metrics, files.details), ["metrics.json"])
    assert "Samples" not in text
    assert "text:" not in text
    assert "| perplexity | 166.4 |" in text


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("running", "Training: step 300 of 2,175, validation perplexity 170.5 (lowest so far: 168.3)."),
        ("stopped", "Stopped at step 300 of 2,175, validation perplexity 170.5 (lowest so far: 168.3). `make repro` resumes the training."),
        ("failed: the loss is *nan*", r"168.3): the loss is \*nan\*."),
        ("failed", "Failed at step 300 of 2,175, validation perplexity 170.5 (lowest so far: 168.3)."),
        ("trained", "Trained: step 300 of 2,175, validation perplexity 170.5 (lowest so far: 168.3). Not evaluated yet"),
    ],
)
def test_an_unfinished_run_says_how_far_it_is(state: str, expected: str) -> None:
    text = note.of_training(state, 300, 2175, 170.5, 168.3)
    assert expected in text
    assert text.endswith("See the [curves](run:model-metrics).")


@pytest.mark.parametrize(
    ("state", "then"), [("stopped", "Running the experiment wide again resumes the training."), ("trained", "does that.")]
)
def test_an_experiment_is_not_resumed_by_the_checkouts_pipeline(state: str, then: str) -> None:
    text = note.of_training(state, 300, 2175, 170.5, 168.3, "wide")
    assert then in text
    assert "unning the experiment wide again" in text
    assert "make repro" not in text


def test_before_the_first_validation_nothing_is_claimed() -> None:
    assert note.of_training("running", 0, None, None, None).startswith("Training: step 0, not validated yet.")
    assert not re.search(r"lowest", note.of_training("running", 10, 20, 168.3, 168.3))
