"""Real pipelines under a real dvc that are killed, whose MLflow server fails, that are started twice at once, or that diverge."""

import json
import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import kill_trials
import outage_trials
from conftest import build_once, change_params, client, digests, move_copy, run, run_id, runs, start
from kill_trials import Moment
from outage_trials import Outage
from plain import PlainModel

pytestmark = pytest.mark.slow
EPOCHS = 40
OPTIONS = {
    "model.mogrifier_rounds": 2,
    "model.mogrifier_rank": 8,
    "model.ensemble_size": 2,
    "model.ngrams": {"order": 3, "weight": "auto"},
    "train.beta2": 0.99,
    "train.ema_decay": 0.99,
    "train.epochs": None,
    "train.minutes": 0.3,
}
SECONDS = {"train": 20.0, "evaluate-sample": 10.0}  # of the stages, roughly


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A project with everything that a training needs. Tests share it, so they only copy it."""

    def build(folder: Path) -> None:
        kill_trials.make_project(folder, EPOCHS)
        shutil.copy(empty_store, folder)
        run(["python", "-m", "dvc", "repro", "batching"], folder)

    return build_once(tmp_path_factory, "prepared", build)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """A project whose pipeline was not interrupted. Tests share it, so they only read it."""

    def build(folder: Path) -> None:
        move_copy(prepared, folder)
        run(["python", "-m", "dvc", "repro"], folder)

    return build_once(tmp_path_factory, "reference", build)


@pytest.fixture
def trained(reference: Path, tmp_path: Path) -> Path:
    """The test's own copy of `reference`."""
    return move_copy(reference, tmp_path / "project")


def test_a_pipeline_that_is_killed_again_and_again_ends_like_an_undisturbed_one(prepared: Path, reference: Path, tmp_path: Path) -> None:
    folder = move_copy(prepared, tmp_path / "training")
    printed = [kill_trials.kill_training(folder, way, 0.5) for way in ("everything", "ctrl-c")]
    assert all(in_time for in_time, _ in printed)
    stopped = re.search(r"^stopped at step ([\d,]+): the next make repro resumes from there$", printed[-1][1], re.MULTILINE)
    assert [tracked.info.status for tracked in runs(folder)] == ["KILLED"]
    # To its end as if dvc had been killed just after it: what dvc did not record is not done again.
    last = run(["python", "src/train.py"], folder).stdout
    assert f"resuming from the checkpoint of step {stopped[1]}, in MLflow run " in last
    weights = (folder / "models/weights/weights.npz").read_bytes()
    assert not any("Traceback" in text for text in (*(text for _, text in printed), last))

    moments = [Moment("train", "dvc.lock", 0, "everything"), Moment("evaluate-sample", None, 0.5, "dvc")]
    outcome = kill_trials.run_trial(folder, reference, tmp_path / "project", moments, SECONDS)
    assert outcome.problems == []
    assert outcome.faults == len(moments)
    assert "resuming from the checkpoint of step " in outcome.printed[0]
    assert (tmp_path / "project/models/weights/weights.npz").read_bytes() == weights


def test_a_training_with_all_options_that_is_killed_ends_like_an_undisturbed_one(prepared: Path, tmp_path: Path) -> None:
    killed, undisturbed = (move_copy(prepared, tmp_path / name) for name in ("killed", "undisturbed"))
    for folder in (killed, undisturbed):
        change_params(folder, OPTIONS)
    for way in ("everything", "ctrl-c"):
        in_time, printed = kill_trials.kill_training(killed, way, 0.5)
        assert in_time, printed
    last = run(["python", "src/train.py"], killed).stdout
    assert "resuming from the checkpoint of step " in last
    assert "train.minutes" not in last  # the speed is not measured again
    # How many steps there is time for differs from one measurement to the next, so the undisturbed training gets the number of this one.
    [begun] = (killed / ".training").glob("*/run.json")
    steps = json.loads(begun.read_text())["steps"]
    known = undisturbed / begun.relative_to(killed)
    known.parent.mkdir(parents=True)
    known.write_text(json.dumps({"steps": steps}))
    whole = run(["python", "src/train.py"], undisturbed).stdout
    assert "resuming" not in whole
    assert json.loads((undisturbed / "models/weights/config.json").read_text())["steps"] == steps
    expected = digests(undisturbed / "models/weights")
    assert {"weights.npz", "ngrams.npz", "config.json"} <= expected.keys()
    assert digests(killed / "models/weights") == expected
    assert (killed / "models/samples.csv").read_bytes() == (undisturbed / "models/samples.csv").read_bytes()


def test_a_pipeline_whose_server_fails_in_every_way_logs_what_an_undisturbed_one_does(
    prepared: Path, reference: Path, tmp_path: Path
) -> None:
    outages = [Outage(kind, "train", 0 if number else 0.5, 1) for number, kind in enumerate(outage_trials.KINDS)]
    outages += [Outage("lost answers", "evaluate-sample", 0, 8), Outage("errors", "evaluate-sample", 0, None)]
    with outage_trials.running_server(tmp_path) as disturbance:
        outcome = outage_trials.run_trial(prepared, reference, tmp_path / "project", outages, disturbance, SECONDS)
        assert disturbance.proxy.harmed
    assert outcome.problems == []
    assert outcome.faults == len(outages)


def test_a_training_that_diverged_is_reported_at_once_the_next_time(trained: Path) -> None:
    folder = trained
    params = (folder / "params.yaml").read_bytes()
    made = digests(folder / "models") | digests(folder / "reports")
    change_params(folder, {"train.learning_rate": 100.0, "train.warmup_steps": 0, "train.epochs": 1})
    printed = []
    for _ in range(2):
        done = run(["python", "-m", "dvc", "repro", "train"], folder, check=False)
        assert done.returncode != 0
        assert "Traceback" not in done.stdout
        [line] = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
        printed.append((done.stdout, line))
    (first, line), (second, again) = printed
    assert re.match(r"error: the training diverged at step \d+ of epoch 1: loss \S+, gradient norm \S+.*: in params.yaml lower", line)
    assert "undo your changes to parameters and text, and run: make repro; " in line
    assert "run: dvc checkout --force train]" in line
    assert "TensorFlow" in first
    assert "TensorFlow" not in second  # at once
    assert "this is the result of an earlier run" in again
    kept = folder / re.search(r"\.training/\w+/weights", line)[0]
    document = np.load(folder / "data/batches/validation.npy")[:50]
    assert PlainModel.load(kept).nats(document).mean() < 10  # and not the 1000s of those that exploded

    # Both advices, the first one although the stage has left something.
    (folder / "models/weights").mkdir()
    (folder / "models/weights/weights.npz").write_bytes(b"half of it")
    run(["python", "-m", "dvc", "checkout", "--force", "train"], folder)
    assert digests(folder / "models").items() <= made.items()
    (folder / "models/run.json").unlink()
    (folder / "params.yaml").write_bytes(params)
    run(["python", "-m", "dvc", "repro"], folder)
    assert digests(folder / "models") | digests(folder / "reports") == made
    assert sorted(tracked.info.status for tracked in runs(folder)) == ["FAILED", "FINISHED"]
    assert client(folder).get_run(run_id(folder)).info.status == "FINISHED"

    # Other parameters are another training, which has not diverged.
    change_params(folder, {"train.learning_rate": 0.003})
    in_time, printed = kill_trials.kill_training(folder, "ctrl-c", 0)
    assert in_time
    assert "diverged before" not in printed
    assert sorted(tracked.info.status for tracked in runs(folder)) == ["FAILED", "FINISHED", "KILLED"]


def test_a_second_training_at_once_stops_with_an_error_and_one_of_other_parameters_starts_from_scratch(trained: Path) -> None:
    folder = trained
    change_params(folder, {"train.learning_rate": 0.003, "train.epochs": 1000})
    command = [sys.executable, "src/train.py"]
    first = start(command, folder)
    try:
        printed = ""
        while "words/s" not in printed:
            printed += first.stdout.readline()
            assert first.poll() is None, printed
        second = run(command, folder, check=False)
        line = f"error: process {first.pid} is already running this training: wait for it to end, or stop it\n"
        assert (second.returncode, second.stdout) == (1, line)
        assert first.poll() is None
        first.send_signal(signal.SIGINT)
        assert "stopped at step " in first.communicate(timeout=60)[0]
    finally:
        first.kill()
        first.communicate()

    # Other parameters are another training, which does not resume the one that was stopped.
    assert any((folder / ".training").glob("*/*"))
    change_params(folder, {"train.learning_rate": 0.001})
    in_time, printed = kill_trials.kill_training(folder, "ctrl-c", 0)
    assert in_time
    assert "resuming" not in printed
    assert sorted(tracked.info.status for tracked in runs(folder)) == ["FINISHED", "KILLED", "KILLED"]
