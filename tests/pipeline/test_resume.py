"""Real training under a real dvc that is killed, started twice at the same time, or diverges."""

import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import kill_and_resume
from conftest import change_params, client, run, run_id, runs, start
from plain import PlainModel

pytestmark = pytest.mark.slow
EPOCHS = 40


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A project that has run all stages before training."""
    folder = kill_and_resume.make_project(tmp_path_factory.mktemp("prepared") / "project", EPOCHS)
    shutil.copy(empty_store, folder)
    run(["python", "-m", "dvc", "repro", "batching"], folder)
    return folder


@pytest.fixture(scope="module")
def reference(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was trained without interruption. All tests but the first one continue in it."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("reference") / "project", symlinks=True)
    kill_and_resume.train(folder)
    return folder


def test_repeatedly_killed_training_ends_like_uninterrupted_training(prepared: Path, reference: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(prepared, tmp_path / "project", symlinks=True)
    printed = [kill_and_resume.kill(folder, way, 0.5, after="words/s") for way in ("everything", "training", "dvc", "ctrl-c")]
    assert all(in_time for in_time, _ in printed)
    stopped = re.search(r"^stopped at step ([\d,]+): the next dvc repro resumes from there$", printed[-1][1], re.MULTILINE)
    assert [tracked.info.status for tracked in runs(folder)] == ["KILLED"]
    # Train to the end without dvc, as if dvc had been killed right after: dvc must not train it again.
    last = run(["python", "src/train.py"], folder).stdout
    assert f"resuming from the checkpoint of step {stopped[1]}, in MLflow run " in last
    weights = (folder / "models/weights/weights.npz").read_bytes()
    repeated = kill_and_resume.train(folder)
    assert "resuming from the checkpoint of step " in repeated
    assert (folder / "models/weights/weights.npz").read_bytes() == weights
    assert not any("Traceback" in text for text in (*(text for _, text in printed), last, repeated))
    kill_and_resume.check(folder, reference)


def test_training_that_diverged_before_is_reported_at_once(reference: Path) -> None:
    folder = reference
    change_params(folder, {"train.learning_rate": 100.0, "train.warmup_steps": 0, "train.epochs": 1})
    printed = []
    for _ in range(2):
        done = run(["python", "-m", "dvc", "repro", "train"], folder, check=False)
        assert done.returncode != 0
        assert "Traceback" not in done.stdout
        [line] = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
        printed.append((done.stdout, line))
    (first, line), (second, second_line) = printed
    assert re.match(r"error: the training diverged at step \d+ of epoch 1: loss \S+, gradient norm \S+.*: in params.yaml lower", line)
    assert "[earlier outputs: dvc checkout brings them back, " in line
    assert "TensorFlow" in first
    assert "TensorFlow" not in second  # reported before TensorFlow is loaded
    assert "this is the result of an earlier run" in second_line
    kept = folder / re.search(r"\.training/\w+/weights", line)[0]
    document = np.load(folder / "data/batches/validation.npy")[:50]
    assert PlainModel.load(kept).nats(document).mean() < 10  # the diverged weights have a loss in the thousands

    run(["python", "-m", "dvc", "checkout", "train"], folder)
    run(["git", "checkout", "reports"], folder)
    assert (folder / "models/saved_model/saved_model.pb").exists()
    assert sorted(tracked.info.status for tracked in runs(folder)) == ["FAILED", "FINISHED"]
    assert client(folder).get_run(run_id(folder)).info.status == "FINISHED"


def test_a_second_concurrent_training_process_stops_with_an_error(reference: Path) -> None:
    folder = reference
    change_params(folder, {"train.learning_rate": 0.003, "train.epochs": 1000})
    command = [sys.executable, "src/train.py"]
    first = start(command, folder)
    try:
        printed = ""
        while "words/s" not in printed:
            printed += first.stdout.readline()
            assert first.poll() is None, printed
        assert "the result of an earlier run" not in printed  # these parameters are not the ones that diverged
        second = run(command, folder, check=False)
        line = f"error: process {first.pid} is already running this training: wait for it to end, or stop it\n"
        assert (second.returncode, second.stdout) == (1, line)
        assert first.poll() is None
        first.send_signal(signal.SIGINT)
        assert "stopped at step " in first.communicate(timeout=60)[0]
    finally:
        first.kill()
        first.communicate()


def test_other_parameters_start_training_from_scratch(reference: Path) -> None:
    folder = reference
    assert any((folder / ".training").glob("*/*"))  # the checkpoint of the training that was stopped
    change_params(folder, {"train.learning_rate": 0.001, "train.epochs": 1})
    assert "resuming" not in kill_and_resume.train(folder)
    assert sorted(tracked.info.status for tracked in runs(folder)) == ["FAILED", "FINISHED", "FINISHED", "KILLED"]
