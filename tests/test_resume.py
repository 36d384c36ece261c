"""Real trainings under a real dvc that are killed, that run twice at once, or that diverge."""

import re
import subprocess
import sys

import numpy as np
import pytest

import kill_and_resume
from conftest import change_params, client, environment, run, run_id, runs
from plain import PlainModel

pytestmark = pytest.mark.slow
EPOCHS = 40


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A project that was trained in peace."""
    folder = kill_and_resume.make_project(tmp_path_factory.mktemp("reference"), EPOCHS)
    kill_and_resume.train(folder)
    return folder


def test_a_training_that_is_killed_again_and_again_ends_as_if_it_had_not_been(reference, tmp_path):
    folder = kill_and_resume.make_project(tmp_path, EPOCHS)
    printed = [kill_and_resume.kill(folder, way, 0.5, after="words/s") for way in ("everything", "training", "dvc", "ctrl-c")]
    assert all(in_time for in_time, _ in printed)
    stopped = re.search(r"^stopped at step ([\d,]+): the next dvc repro goes on from there$", printed[-1][1], re.MULTILINE)
    last = kill_and_resume.train(folder)
    assert f"going on from the checkpoint of step {stopped[1]}, in MLflow run " in last
    assert not any("Traceback" in text for _, text in printed)
    kill_and_resume.check(folder, reference)


def test_a_finished_training_that_dvc_did_not_record_is_not_done_again(tmp_path):
    folder = kill_and_resume.make_project(tmp_path, 3)
    run(["python", "-m", "dvc", "repro", "batching"], folder)
    run(["python", "src/train.py"], folder)  # as if dvc had been killed after it
    weights = (folder / "models/weights/weights.npz").read_bytes()
    printed = kill_and_resume.train(folder)
    assert "going on from the checkpoint of step " in printed
    assert (folder / "models/weights/weights.npz").read_bytes() == weights
    [found] = runs(folder)
    assert found.info.status == "FINISHED"


def test_the_run_of_a_stopped_training_says_so(tmp_path):
    folder = kill_and_resume.make_project(tmp_path, 1000)
    kill_and_resume.kill(folder, "ctrl-c", 0, after="words/s")
    [found] = runs(folder)
    assert found.info.status == "KILLED"
    # Other parameters: another training, from its beginning.
    change_params(folder, {"train.learning_rate": 0.001, "train.epochs": 1})
    assert "going on" not in kill_and_resume.train(folder)
    assert len(runs(folder)) == 2


def test_the_second_of_two_at_once_says_so_and_stops(tmp_path):
    folder = kill_and_resume.make_project(tmp_path, 1000)
    run(["python", "-m", "dvc", "repro", "batching"], folder)
    command = [sys.executable, "src/train.py"]
    first = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while "training words" not in first.stdout.readline():
            assert first.poll() is None
        second = run(command, folder, check=False)
        line = f"error: this very training is running in this checkout already (process {first.pid}): wait for it to end, or stop it\n"
        assert (second.returncode, second.stdout) == (1, line)
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()


def test_a_training_that_diverges_says_so_at_once_the_next_time_until_something_changes(tmp_path):
    folder = kill_and_resume.make_project(tmp_path, 1)
    kill_and_resume.train(folder)
    change_params(folder, {"train.learning_rate": 100.0, "train.warmup_steps": 0})
    printed = []
    for _ in range(2):
        done = run(["python", "-m", "dvc", "repro", "train"], folder, check=False)
        assert done.returncode != 0
        assert "Traceback" not in done.stdout
        [line] = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
        printed.append((done.stdout, line))
    (first, line), (second, again) = printed
    assert re.match(r"error: the training diverged at step \d+ of epoch 1: loss \S+, gradient norm \S+.*: in params.yaml lower", line)
    assert "[earlier outputs: dvc checkout brings them back, " in line
    assert "TensorFlow" in first
    assert "TensorFlow" not in second  # at once
    assert "so it was before" in again
    kept = folder / re.search(r"\.training/\w+/weights", line)[0]
    document = np.load(folder / "data/batches/validation.npy")[:50]
    assert PlainModel.load(kept).nats(document).mean() < 10  # and not the 1000s of those that exploded

    run(["python", "-m", "dvc", "checkout", "train"], folder)
    run(["git", "checkout", "reports"], folder)
    assert (folder / "models/saved_model/saved_model.pb").exists()
    assert sorted(found.info.status for found in runs(folder)) == ["FAILED", "FINISHED"]
    assert client(folder).get_run(run_id(folder)).info.status == "FINISHED"

    change_params(folder, {"train.learning_rate": 0.003})
    assert "so it was before" not in kill_and_resume.train(folder)
