"""An edit makes a stage stale only if it can change the outputs of the stage."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kill_trials
from conftest import change_params, run

pytestmark = pytest.mark.slow
EPOCHS = 20
CODE = Path("src/lstm_lm")


def replace_text(folder: Path, name: str, old: str, new: str) -> None:
    """Replace the first occurrence of a text in a module. The new text contains the old one, so that it can be edited again."""
    assert old in new
    path = folder / CODE / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def report_differently(number: int) -> dict[str, Callable[[Path], None]]:
    """Return edits that only change what is reported and how often. The edits differ between numbers."""
    messages, scores, picture = "ui/training_messages.py", "ui/evaluation_messages.py", "ui/graph_picture.py"
    return {
        "a message of the training": lambda folder: replace_text(folder, messages, ":,} weights", f":,}} weights {number}"),
        "a message of the evaluation": lambda folder: replace_text(folder, scores, " of the {text}", f" of the {{text}} {number}"),
        "the picture of the graphs": lambda folder: replace_text(folder, picture, '"training graph"', f'"training graph" " {number}"'),
        "the pace of checkpoints": lambda folder: replace_text(folder, "io/checkpoints.py", "FRACTION = ", f"FRACTION = {number} * "),
        "tracking code": lambda folder: replace_text(folder, "tracking/store.py", '"""', f'"""{number}: '),
        "reporting.status_every": lambda folder: change_params(folder, {"reporting.status_every": 60 + number}),
        "reporting.checkpoint_seconds": lambda folder: change_params(folder, {"reporting.checkpoint_seconds": 7.0 + number}),
        "tracking.registered_model": lambda folder: change_params(folder, {"tracking.registered_model": f"model-{number}"}),
    }


def stale_stages(folder: Path) -> dict[str, Any]:
    """Return the stages that would run again, with what has changed for them."""
    stages: dict[str, Any] = json.loads(run(["python", "-m", "dvc", "status", "--json"], folder).stdout.splitlines()[-1])
    return stages


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A project that has run all stages before training."""
    folder = kill_trials.make_project(tmp_path_factory.mktemp("staleness") / "project", EPOCHS)
    shutil.copy(empty_store, folder)
    run(["python", "-m", "dvc", "repro", "batching"], folder)
    return folder


def test_edits_that_only_affect_reports_keep_stages_and_checkpoints_valid(project: Path) -> None:
    in_time, printed = kill_trials.kill_training(project, "ctrl-c", 0.5)
    assert in_time
    stopped = re.search(r"^stopped at step ([\d,]+): ", printed, re.MULTILINE)
    assert stopped
    for edit in report_differently(1).values():
        edit(project)
    resumed = run(["python", "-m", "dvc", "repro"], project).stdout
    assert f"resuming from the checkpoint of step {stopped[1]}, in MLflow run " in resumed
    assert " weights 1, vocabulary" in resumed
    assert stale_stages(project) == {}
    for edit in report_differently(2).values():
        edit(project)
    assert stale_stages(project) == {}


def test_editing_the_model_makes_training_stale(project: Path) -> None:
    replace_text(project, "model/lstm.py", '"""', '"""Edited: ')
    assert "train" in stale_stages(project)
