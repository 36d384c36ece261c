"""Trainings under a real dvc that start from an earlier one: with more epochs, or from its weights with more text."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import kill_trials
from conftest import change_params, client, run, run_id
from lstm_lm.io import scratch

pytestmark = pytest.mark.slow


def train(folder: Path) -> str:
    """Run `dvc repro train` and return what it printed."""
    return run(["python", "-m", "dvc", "repro", "train"], folder).stdout


def start_of_training(folder: Path) -> str:
    """Run `dvc repro train` until the training is under way, stop it, and return what it printed."""
    in_time, printed = kill_trials.kill_training(folder, "ctrl-c", 0)
    assert in_time, printed
    return printed


def weights(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "models/weights/weights.npz") as saved:
        return dict(saved)


def seconds(folder: Path) -> float:
    return float(json.loads((folder / "models/run.json").read_text())["seconds"])


def metric(folder: Path, run: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client(folder).get_metric_history(run, name)]


def test_with_a_constant_learning_rate_more_epochs_resume_from_where_fewer_ended(project: Path) -> None:
    folder = project
    change_params(folder, {"train.schedule": "constant", "train.warmup_steps": 3, "train.precision": "float32", "train.epochs": 2})
    train(folder)
    expected, history = weights(folder), (folder / "models/samples.csv").read_bytes()
    whole = run_id(folder)
    shutil.rmtree(folder / ".training")

    change_params(folder, {"train.epochs": 1})
    train(folder)
    shorter, used = run_id(folder), seconds(folder)
    scratch.settle_ended(folder, shorter)  # as evaluate-sample does
    change_params(folder, {"train.epochs": 2})
    printed = run(["python", "src/train.py"], folder).stdout  # DVC would restore the two epochs from its cache
    steps = re.search(
        rf"^the ([\d,]+) steps of the training with train.epochs: 1, MLflow run {shorter}, are not done again$", printed, re.M
    )
    assert f"resuming from the checkpoint of step {steps[1]}, in MLflow run " in printed
    resumed = run_id(folder)
    assert resumed not in (whole, shorter)
    assert seconds(folder) > used > 0  # of both parts
    assert all((expected[name] == array).all() for name, array in weights(folder).items())
    assert (folder / "models/samples.csv").read_bytes() == history
    for name in ("train/loss", "validation/loss"):
        assert metric(folder, resumed, name) == metric(folder, whole, name)
    assert client(folder).get_run(resumed).data.tags["lstm_lm.continues"] == shorter


def test_with_a_cosine_schedule_more_epochs_start_from_scratch(project: Path) -> None:
    """A cosine schedule decays to 0 in as many epochs as there are."""
    shorter = run_id(project)
    change_params(project, {"train.epochs": 3})
    printed = start_of_training(project)
    assert f"the training with train.epochs: 2, MLflow run {shorter}, is not reused: its learning rates depend on" in printed
    assert f"train.init_from: runs:/{shorter} would start from its weights" in printed
    assert "resuming" not in printed


def test_a_training_on_more_text_starts_from_trained_weights(project: Path) -> None:
    folder, trained = project, run_id(project)
    before = weights(folder)
    for path in sorted((folder / "data/own").iterdir())[:6]:
        path.write_text(path.read_text() + "the wizard and the king of england did see a wizard\n" * 5)
    change_params(folder, {"train.init_from": f"runs:/{trained}", "train.epochs": 1, "train.learning_rate": 1e-6, "train.warmup_steps": 0})
    printed = train(folder)
    line = re.search(rf"^starting from the weights of models:/m-\w+ of run {trained}, which know (\d+) of the (\d+) words$", printed, re.M)
    assert int(line[1]) < int(line[2])
    tags = client(folder).get_run(run_id(folder)).data.tags
    assert re.fullmatch(rf"models:/m-\w+ of run {trained}: \d+ of \d+ words known there", tags["lstm_lm.init_from"])
    after = weights(folder)
    np.testing.assert_allclose(after["lstm_0_recurrent"], before["lstm_0_recurrent"], atol=1e-3)  # trained with next to no learning rate
    assert len(after["embedding"]) > len(before["embedding"])
    first, *_ = metric(folder, run_id(folder), "train/loss")
    last_before = metric(folder, trained, "train/loss")[-1]
    assert first[1] < last_before[1] + 0.5 < np.log(len(after["embedding"]))

    # The same weights by the version's number and by a folder.
    shutil.copytree(folder / "models/weights", folder / "earlier weights")
    for address, described in (("models:/lstm_lm/1", f"models:/lstm_lm/1 of run {trained}"), ("earlier weights", "earlier weights")):
        change_params(folder, {"train.init_from": address})
        assert f"starting from the weights of {described}, which know " in start_of_training(folder)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("models:/lstm_lm/99", "models:/lstm_lm/99: "),
        ("models:/lstm_lm@nobody", "models:/lstm_lm@nobody: "),
        ("runs:/" + "0" * 32, f"runs:/{'0' * 32}: "),
        ("nowhere/weights", "nowhere/weights: no such folder; relative paths start at the project's folder"),
        ("models/weights", "DVC removes models/weights before the training starts"),
    ],
)
def test_weights_that_are_not_there_are_one_line_before_anything_slow(project: Path, address: str, line: str) -> None:
    change_params(project, {"train.init_from": address})
    printed = run(["python", "src/train.py"], project, check=False)
    assert printed.returncode == 1
    [error] = [text for text in printed.stdout.splitlines() if text.startswith("error: ")]
    assert "train.init_from: " + line in error
    assert "Traceback" not in printed.stdout
    assert "TensorFlow" not in printed.stdout


def test_a_training_of_some_minutes_keeps_the_number_of_steps_that_it_began_with(project: Path) -> None:
    """A resumed training would measure another speed."""
    folder = project
    change_params(folder, {"train.epochs": None, "train.minutes": 0.2, "train.patience": None})
    printed = start_of_training(folder)
    planned = re.search(r"^train.minutes: 0.2: time for ([\d,]+) steps of [\d,]+ ms, a validation takes [\d.]+ s$", printed, re.MULTILINE)
    printed = train(folder)
    assert "train.minutes" not in printed
    assert "resuming from the checkpoint of step " in printed
    steps = int(planned[1].replace(",", ""))
    assert json.loads((folder / "models/weights/config.json").read_text())["steps"] == steps
    assert metric(folder, run_id(folder), "train/loss")[-1][0] == steps
    assert seconds(folder) < 60
