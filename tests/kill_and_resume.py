"""Kill training at random times, resume it each time, and compare the result with uninterrupted training.

    python tests/kill_and_resume.py --kills 10

trains a small model twice, in copies of the project: once without interruption, and once with the given number of kills. The kills
alternate between dvc with its children, the training process alone, dvc alone, and Ctrl-C.
"""

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from conftest import SMALL_TEXT, change_params, client, copy_project, run, run_id, runs, start, write_corpus

WAYS = ("everything", "training", "dvc", "ctrl-c")
SMALL = {
    **SMALL_TEXT,
    "model.embedding_size": 32,
    "model.hidden_size": 64,
    "model.projection_size": 32,
    "reporting.sample_every": 200,
    "train.patience": None,
    "reporting.checkpoint_seconds": 0.2,
    "train.precision": "float32",  # auto is timed on each start and could resolve to another precision for the reference
}


def make_project(folder: Path, epochs: int) -> Path:
    """Create a copy of the project that trains a small model on a small text."""
    copy_project(folder)
    write_corpus(folder / "data/own")
    change_params(folder, {**SMALL, "train.epochs": epochs})
    return folder


def train(folder: Path) -> str:
    """Run `dvc repro train` to its end and return what it printed."""
    return run(["python", "-m", "dvc", "repro", "train"], folder).stdout


def kill(folder: Path, way: str, delay: float, after: str = "training words") -> tuple[bool, str]:
    """Start `dvc repro train` and kill it `delay` seconds after it has printed a line that contains `after`.

    Returns:
        (whether it was still training at that time, its output)
    """
    dvc = start([sys.executable, "-m", "dvc", "repro", "train"], folder, start_new_session=True)
    printed = ""
    for line in dvc.stdout:
        printed += line
        if after in line:
            break
    time.sleep(delay)
    children = psutil.Process(dvc.pid).children(recursive=True) if dvc.poll() is None else []
    training = [process for process in children if "src/train.py" in process.cmdline()[-1:]]
    in_time = bool(training)
    if dvc.poll() is not None:
        in_time = False
    elif way == "everything":
        os.killpg(dvc.pid, signal.SIGKILL)
    elif way == "ctrl-c":
        os.killpg(dvc.pid, signal.SIGINT)
    elif way == "dvc":
        dvc.kill()
    elif training:
        training[0].kill()
    dvc.wait(timeout=60)
    _, alive = psutil.wait_procs(training, timeout=20)
    assert not alive, "training continues after its dvc has ended"
    return in_time, printed + dvc.stdout.read()


def history(folder: Path) -> pd.DataFrame:
    """Load the history of training without its speed, which differs between runs."""
    return pd.read_csv(folder / "models/history.csv").drop(columns="words_per_second")


def check(folder: Path, reference: Path) -> None:
    """Compare training that was killed with training that was not.

    Raises:
        AssertionError: a weight, a row of the history, a sample or an MLflow metric differs.
    """
    with np.load(folder / "models/weights/weights.npz") as ours, np.load(reference / "models/weights/weights.npz") as theirs:
        assert set(ours) == set(theirs)
        for name in ours:
            assert (ours[name] == theirs[name]).all(), name
    pd.testing.assert_frame_equal(history(folder), history(reference), check_exact=True)
    assert history(folder).step.is_unique
    assert (folder / "models/samples.csv").read_bytes() == (reference / "models/samples.csv").read_bytes()

    [tracked] = runs(folder)
    assert tracked.info.run_id == run_id(folder)
    assert tracked.info.status == "FINISHED"
    for metric, column in (("train/loss", "loss"), ("train/words_seen", "words_seen"), ("validation/loss", "validation_loss")):
        logged = [(point.step, point.value) for point in client(folder).get_metric_history(tracked.info.run_id, metric)]
        assert sorted(logged) == list(history(folder).dropna(subset=column)[["step", column]].itertuples(index=False, name=None)), metric

    run(["python", "-m", "dvc", "repro"], folder)
    assert not list((folder / ".training").iterdir())  # no scratch files are left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="number of kills (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=60, help="epochs of about 120 steps each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random times (default: %(default)s)")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        reference = make_project(Path(scratch) / "reference", args.epochs)
        folder = make_project(Path(scratch) / "killed", args.epochs)
        start_time = time.monotonic()
        train(reference)
        print(f"without interruption: {len(history(reference))} rows of history in {time.monotonic() - start_time:.0f} s")
        ways = itertools.cycle(WAYS)
        for number, way in zip(range(1, args.kills + 1), ways, strict=False):
            delay = rng.uniform(1, 6)
            in_time, printed = kill(folder, way, delay)
            assert in_time, "training had ended before it was to be killed: use more --epochs"
            recovery = [line for line in printed.splitlines() if line.startswith(("resuming from", "restarting from"))]
            print(f"kill {number}: {way}, {delay:.1f} s after the start: {recovery or 'first start'}")
        recovery = [line for line in train(folder).splitlines() if line.startswith("resuming from")]
        print(f"last recovery: {recovery}")
        check(folder, reference)
        print("weights, history, samples and MLflow metrics equal those of the uninterrupted training")


if __name__ == "__main__":
    main()
