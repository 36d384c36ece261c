"""The files that the report is made from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import report_files
from lstm_lm.errors import UserError
from lstm_lm.ui.report import inputs
from lstm_lm.ui.report.inputs import GeneratedText

HISTORY = "step,words_seen,epoch,loss,learning_rate,gradient_norm,words_per_second,validation_loss,validation_perplexity\n"
SAMPLES = (
    "# Samples\n\n40 words each.\n\n## Greedy\n\n- **to be** or not\n- **a\tb** c\n\n## Temperature 0.7\n\n- **to be** a  \n  b **c** d\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all the files."""
    (tmp_path / "models/weights").mkdir(parents=True)
    (tmp_path / "reports").mkdir()
    for name in (inputs.METRICS, inputs.DETAILS, inputs.CONFIG):
        (tmp_path / name).write_text("{}")
    (tmp_path / inputs.VOCABULARY).write_text('{"train": {"oov_rate": 0.25}}')
    (tmp_path / inputs.RUN).write_text('{"run_id": "abc"}')
    (tmp_path / inputs.GRAPH).write_bytes(b"png")
    (tmp_path / inputs.SAMPLES).write_text(SAMPLES)
    (tmp_path / inputs.HISTORY).write_text(f"{HISTORY}1,10,1,2.5,0.1,1.5,100,,\n2,20,1,2.25,0.05,1.25,200,2.125,8.37\n")
    (tmp_path / inputs.TRAINING_SAMPLES).write_text('step,prompt,temperature,text\n5,to be,0.8,"to be\nor, not"\n')
    return tmp_path


def test_every_file_is_read(folder: Path) -> None:
    (folder / inputs.METRICS).write_text('{"test": {"loss": 1.5, "perplexity": NaN}}')
    found = inputs.load(folder)
    assert found.metrics == {"test": {"loss": 1.5, "perplexity": None}}
    assert found.run == {"run_id": "abc"}
    assert found.vocabulary == {"train": {"oov_rate": 0.25}}
    assert found.graph == b"png"
    first, second = found.history
    assert (first.words_seen, first.loss, first.validation_loss) == (10, 2.5, None)
    assert (second.gradient_norm, second.validation_loss, second.validation_perplexity) == (1.25, 2.125, 8.37)
    assert found.training_samples[0].text == "to be\nor, not"
    assert found.samples == [
        GeneratedText("Greedy", "to be", " or not"),
        GeneratedText("Greedy", "a\tb", " c"),
        GeneratedText("Temperature 0.7", "to be", " a\nb **c** d"),
    ]


def test_files_that_may_be_missing_are_empty(folder: Path) -> None:
    (folder / inputs.HISTORY).unlink()
    (folder / inputs.TRAINING_SAMPLES).unlink()
    (folder / inputs.VOCABULARY).unlink()
    (folder / inputs.GRAPH).unlink()
    found = inputs.load(folder)
    assert (found.history, found.training_samples, found.vocabulary, found.graph) == ([], [], {}, None)


def test_what_could_not_be_computed_is_empty(folder: Path) -> None:
    (folder / inputs.DETAILS).write_text(json.dumps({"unit": None, "documents": {"test": None}, "positions": None, "model": None}))
    found = inputs.load(folder)
    assert (found.unit, found.part("documents", "test"), found.part("positions", "test"), found.mapping("model")) == ("word", [], [], {})


@pytest.mark.parametrize("name", [inputs.METRICS, inputs.DETAILS, inputs.SAMPLES, inputs.RUN, inputs.CONFIG])
def test_a_missing_file_is_one_line(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"^{name} is missing: run the pipeline, with: make repro$"):
        inputs.load(folder)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (inputs.DETAILS, b"{", "is not valid JSON"),
        (inputs.METRICS, b"[]", "is no JSON object"),
        (inputs.SAMPLES, b"\xff", "is not UTF-8 text"),
        (inputs.HISTORY, b"step,loss\n1,2\n", "is damaged"),
        (inputs.TRAINING_SAMPLES, b"step,prompt,temperature,text\nx,y,z,a\n", "is damaged"),
    ],
)
def test_a_damaged_file_is_one_line(folder: Path, name: str, content: bytes, problem: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=f"^{name} {problem}.*: remove it, and run the pipeline, with: make repro$"):
        inputs.load(folder)


def test_the_time_of_a_training_is_the_recorded_one_or_that_of_its_steps() -> None:
    assert report_files.report_inputs().training_seconds == 321
    # 40 rows of 100 words at 1,000 words/s
    assert report_files.report_inputs(run={"run_id": "a"}).training_seconds == pytest.approx(4.0)
    rows = [replace(row, words_per_second=0.0) for row in report_files.history()]
    assert report_files.report_inputs(run={}, history=rows).training_seconds is None
