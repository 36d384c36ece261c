"""Kill a training at random moments, let it recover each time, and compare the outcome with that of an uninterrupted one.

    python tests/kill_and_resume.py --kills 10

trains a small model twice, in copies of the project: once without interruption, and once with that many kills, taking turns:
everything (dvc and its children), the training process alone, dvc alone, and Ctrl-C.
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
    "train.precision": "float32",  # measured again, auto might choose another one for the reference
}


def make_project(folder: Path, epochs: int) -> Path:
    copy_project(folder)
    write_corpus(folder / "data/own")
    change_params(folder, {**SMALL, "train.epochs": epochs})
    return folder


def train(folder: Path) -> str:
    """Run `dvc repro train` to its end and return what it printed."""
    return run(["python", "-m", "dvc", "repro", "train"], folder).stdout


def kill(folder: Path, way: str, delay: float, after: str = "training words") -> tuple[bool, str]:
    """Start `dvc repro train` and kill it `delay` seconds after it has printed a line with `after` in it.

    Returns:
        (whether it was still training then, what it printed)
    """
    dvc = start([sys.executable, "-m", "dvc", "repro", "train"], folder, start_new_session=True)
    printed = ""
    for line in dvc.stdout:
        printed += line
        if after in line:
            break
    time.sleep(delay)
    below = psutil.Process(dvc.pid).children(recursive=True) if dvc.poll() is None else []
    training = [process for process in below if "src/train.py" in process.cmdline()[-1:]]
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
    _, left = psutil.wait_procs(training, timeout=20)
    assert not left, "the training continues without its dvc"
    return in_time, printed + dvc.stdout.read()


def history(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "models/history.csv").drop(columns="words_per_second")


def check(folder: Path, reference: Path) -> None:
    """Compare a training that was killed with one that was not.

    Raises:
        AssertionError: a weight, a row of the history, a sample, or what MLflow has differs.
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
    assert not list((folder / ".training").iterdir())  # no scratch is left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=60, help="of a training of about 120 steps each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    args = parser.parse_args()
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        reference = make_project(Path(scratch) / "reference", args.epochs)
        folder = make_project(Path(scratch) / "killed", args.epochs)
        began = time.monotonic()
        train(reference)
        print(f"without interruption: {len(history(reference))} rows of history in {time.monotonic() - began:.0f} s")
        ways = itertools.cycle(WAYS)
        for number, way in zip(range(1, args.kills + 1), ways, strict=False):
            delay = moments.uniform(1, 6)
            in_time, printed = kill(folder, way, delay)
            assert in_time, "the training had ended before it was to be killed: give it more --epochs"
            recovery = [line for line in printed.splitlines() if line.startswith(("resuming from", "restarting from"))]
            print(f"kill {number}: {way}, {delay:.1f} s after the start: {recovery or 'its first start'}")
        recovery = [line for line in train(folder).splitlines() if line.startswith("resuming from")]
        print(f"the last recovery: {recovery}")
        check(folder, reference)
        print("weights, history, samples and MLflow run are those of the uninterrupted training")


if __name__ == "__main__":
    main()
