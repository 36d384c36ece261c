"""Kills of a real pipeline at chosen moments, and the comparison of what is made in the end with an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from conftest import SMALL_TEXT, change_params, copy_project, digests, environment, run, write_corpus
from conftest import start as start_interruptible

STAGES = ("download", "vocab", "batching", "train", "evaluate-sample")
SMALL = {
    **SMALL_TEXT,
    "model.embedding_size": 32,
    "model.hidden_size": 64,
    "model.projection_size": 32,
    "reporting.sample_every": 200,
    "train.patience": None,
    "reporting.checkpoint_seconds": 0.2,
    "train.precision": "float32",  # auto is timed on each start and could resolve to another precision for the reference
    "evaluate_sample.max_words": 6,
}
# What DVC changes right before or while it writes its own files.
DVC_WRITES = ("dvc.lock", ".dvc/tmp/rwlock", ".dvc/cache/files/md5", ".dvc/cache/runs")
DVC_PROGRAM = "dvc_program.py"  # of src/lstm_lm/experiments: what `make repro` runs
WAYS = ("everything", "stage", "dvc")  # what is killed: the process group, or one process
END_SECONDS = 30  # within which a stage whose dvc was killed has to end
RUN_SECONDS = 900
# `make repro` in the environment that runs the tests, which `make setup` would refuse.
REPRO = ("make", "--silent", "--assume-old=setup", "repro", f"VENV={sys.prefix}")
TIMED = {"train/words_per_second"}  # metrics whose values differ between runs
SYSTEM = "system/"  # metrics whose steps do, too


@dataclass(frozen=True)
class Moment:
    """When and what to kill.

    Attributes:
        stage: the kill happens in this stage, or in a later one if nothing is left to do in it.
        writes: the kill happens as DVC writes this file; None: in the middle of the stage's run.
        fraction: of the stage's time in the undisturbed run, until the kill; of 30 ms, if `writes`.
        way: one of WAYS.
    """

    stage: str
    writes: str | None
    fraction: float
    way: str

    def __str__(self) -> str:
        where = f"as dvc writes {self.writes}" if self.writes else f"at {self.fraction:.0%} of its time"
        return f"{self.stage} {where}: {self.way}"


@dataclass
class Outcome:
    """What was seen in a trial.

    Attributes:
        faults: how many happened before the pipeline had ended.
        printed: by each command.
        problems: what differs from an undisturbed run, and what else is wrong.
    """

    faults: int
    printed: list[str]
    problems: list[str]


def make_project(folder: Path, epochs: int) -> Path:
    """Create a copy of the project that trains a small model on a small text."""
    copy_project(folder)
    write_corpus(folder / "data/own")
    change_params(folder, {**SMALL, "train.epochs": epochs})
    run(["git", "add", "--all"], folder)
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "small"], folder)
    return folder


def kill_training(folder: Path, way: str, delay: float) -> tuple[bool, str]:
    """Start `dvc repro train` and kill it some time after it has reported its speed.

    Args:
        folder: of the project.
        way: one of WAYS, or "ctrl-c".
        delay: in seconds.
    Returns:
        (whether it was still training at that time, its output)
    """
    dvc = start_interruptible([sys.executable, "-m", "dvc", "repro", "train"], folder, start_new_session=True)
    printed = ""
    for line in dvc.stdout:
        printed += line
        if "words/s" in line:
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


def draw_moments(rng: random.Random, count: int) -> list[Moment]:
    """Draw moments over all stages, in the order of the stages, so that each of several kills of one pipeline finds something to kill."""
    moments = []
    for _ in range(count):
        writes = rng.choice(DVC_WRITES) if rng.random() < 0.4 else None
        ways = [way for way in WAYS if not (writes and way == "stage")]
        moments.append(Moment(rng.choice(STAGES), writes, rng.random(), rng.choice(ways)))
    return sorted(moments, key=lambda moment: STAGES.index(moment.stage))


def start(folder: Path, log: Path, command: tuple[str, ...] = REPRO, **more: str) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own. It prints into a file: a process that outlives it would keep a pipe open."""
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=folder, env=environment(**more), stdout=file, stderr=file, start_new_session=True)


def wait_for_stage(process: subprocess.Popen[bytes], log: Path, stage: str) -> bool:
    """Wait until a stage has begun, or a later one.

    Returns:
        Whether the process was still running then.
    """
    later = "|".join(STAGES[STAGES.index(stage) :])
    begun = re.compile(rf"^Running stage '({later})'", re.MULTILINE)
    while process.poll() is None:
        if begun.search(log.read_text(encoding="utf-8", errors="replace")):
            return True
        time.sleep(0.005)
    return False


def stage_seconds(folder: Path, log: Path) -> dict[str, float]:
    """Run the pipeline and return how long each stage took, what DVC does after it included.

    Raises:
        AssertionError: it failed.
    """
    process = start(folder, log)
    begun = {}
    for stage in STAGES:
        wait_for_stage(process, log, stage)
        begun[stage] = time.monotonic()
    assert process.wait(RUN_SECONDS) == 0, log.read_text()
    ends = [*list(begun.values())[1:], time.monotonic()]
    return {stage: end - start_time for (stage, start_time), end in zip(begun.items(), ends, strict=True)}


def run_and_kill(folder: Path, log: Path, moment: Moment, seconds: dict[str, float]) -> bool:
    """Start the pipeline and kill it at a moment.

    Returns:
        Whether there was something left to kill.
    """
    process = start(folder, log)
    wait_for_stage(process, log, moment.stage)
    if moment.writes is None:
        deadline = time.monotonic() + moment.fraction * seconds[moment.stage]
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
    else:
        before = _changed_at(folder / moment.writes)
        while _changed_at(folder / moment.writes) == before and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(moment.fraction * 0.03)
    killed = False
    while process.poll() is None and not killed:  # between two stages there is no process of a stage
        killed = _kill(process, moment.way)
        time.sleep(0.005)
    process.wait(RUN_SECONDS)
    return killed


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _kill(process: subprocess.Popen[bytes], way: str) -> bool:
    """Kill a pipeline, or one process of it. Returns whether there was one."""
    if way == "everything":
        os.killpg(process.pid, signal.SIGKILL)
        return True
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            arguments = child.cmdline()
            is_stage = arguments[1:2] in [[f"src/{stage.replace('-', '_')}.py"] for stage in STAGES]
            is_dvc = any(Path(argument).name in ("dvc", DVC_PROGRAM) for argument in arguments[:4])
            if is_stage if way == "stage" else is_dvc:
                child.kill()
                return True
        except psutil.Error:
            continue
    return False


def run_trial(base: Path, reference: Path, folder: Path, moments: list[Moment], seconds: dict[str, float]) -> Outcome:
    """Kill the pipeline of a new copy of a project at some moments, run it to its end, and compare with an undisturbed run.

    Args:
        base: the project before any run.
        reference: the project after an undisturbed run.
        folder: of the copy.
        moments: of the kills. After each, the same command is run again at once.
        seconds: how long each stage takes.
    """
    run(["cp", "-r", str(base), str(folder)], base.parent)
    logs = [folder.with_name(f"{folder.name}-{number}.log") for number in range(len(moments) + 1)]
    kills = sum(run_and_kill(folder, log, moment, seconds) for log, moment in zip(logs, moments, strict=False))
    code = start(folder, logs[-1]).wait(RUN_SECONDS)
    printed = [log.read_text(encoding="utf-8", errors="replace") for log in logs]
    if code:
        return Outcome(kills, printed, [f"the last run ended with {code}: {printed[-1][-300:]}"])
    ours, theirs = (f"sqlite:///{project / 'mlflow.db'}" for project in (folder, reference))
    return Outcome(kills, printed, compare(folder, reference) + compare_tracking(ours, theirs) + leftovers(folder, printed))


def leftovers(folder: Path, printed: list[str]) -> list[str]:
    """Return what should not be there after the last run: traces, processes, scratch files."""
    problems = [f"a stack trace: ...{text[text.index('Traceback') :][-600:]}" for text in printed if "Traceback" in text]
    deadline = time.monotonic() + END_SECONDS
    while (running := processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    problems += [f"still running after {END_SECONDS} s: {' '.join(process.cmdline())}" for process in running]
    left = [*folder.glob(".training/*/checkpoint.npz"), *folder.glob("data/.*-*"), *folder.glob(".dvc/tmp/*.partial")]
    problems += [f"left: {path.relative_to(folder)}" for path in left]
    if "up to date" not in (status := run(["python", "-m", "dvc", "status"], folder, check=False).stdout):
        problems.append(f"dvc status: {status}")
    return problems


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that run in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def history(folder: Path) -> pd.DataFrame:
    """Load the history of training without its speed, which differs between runs."""
    return pd.read_csv(folder / "models/history.csv").drop(columns="words_per_second")


def compare(folder: Path, reference: Path) -> list[str]:
    """Return what differs between the files that two runs of the pipeline have made."""
    problems = []
    for name in ("data/raw", "data/vocab", "data/batches"):
        if digests(folder / name) != digests(reference / name):
            problems.append(f"{name} differs")
    with np.load(folder / "models/weights/weights.npz") as ours, np.load(reference / "models/weights/weights.npz") as theirs:
        problems += [f"the weights {name} differ" for name in theirs if name not in ours or (ours[name] != theirs[name]).any()]
    if not history(folder).equals(history(reference)):
        problems.append("models/history.csv differs")
    for name in ("models/samples.csv", "reports/metrics.json", "reports/samples.md", "reports/summary.json"):
        if (folder / name).read_bytes() != (reference / name).read_bytes():
            problems.append(f"{name} differs")
    if details(folder) != details(reference):
        problems.append("reports/details.json differs")
    return problems


def details(folder: Path) -> dict[str, Any]:
    """Return what reports/details.json holds of a project, without the commit of its repository."""
    content: dict[str, Any] = json.loads((folder / "reports/details.json").read_text(encoding="utf-8"))
    del content["run"]["commit"], content["run"]["dirty"]
    return content


def compare_tracking(address: str, reference: str, experiment: str = "lstm_lm", model: str = "lstm_lm") -> list[str]:
    """Return what differs between what two runs of the pipeline have logged to MLflow.

    Args:
        address: of the store.
        reference: address of the store of the undisturbed run, whose experiment is `lstm_lm`.
        experiment: name of the experiment in the store.
        model: name of the registered model in the store.
    """
    import mlflow

    ours, theirs = mlflow.MlflowClient(address, address), mlflow.MlflowClient(reference, reference)
    [expected] = _runs(theirs, "lstm_lm")
    found = _runs(ours, experiment)
    if len(found) != 1 or found[0].info.status != "FINISHED":
        return [f"runs: {[(run.info.run_name, run.info.status) for run in found]}"]
    points, expected_points = (_points(client, tracked.info.run_id) for client, tracked in ((ours, found[0]), (theirs, expected)))
    problems = [
        f"{name}: {sorted(((points[name] - of_name) + (of_name - points[name])).items())[:3]}"
        for name, of_name in expected_points.items()
        if points.get(name) != of_name
    ]
    problems += [f"the metric {name} is not in the reference" for name in points if name not in expected_points]
    wanted = {key: value for key, value in expected.data.params.items()}
    problems += [f"the parameter {key} differs" for key in wanted if found[0].data.params.get(key) != wanted[key]]
    artifacts, expected_artifacts = (
        {item.path for item in client.list_artifacts(tracked.info.run_id)} for client, tracked in ((ours, found[0]), (theirs, expected))
    )
    if artifacts != expected_artifacts:
        problems.append(f"artifacts: {sorted(artifacts ^ expected_artifacts)}")
    versions = ours.search_model_versions(f"name = '{model}'")
    if len(versions) != 1:
        problems.append(f"{len(versions)} versions of {model}")
    logged = ours.search_logged_models([found[0].info.experiment_id])
    if [str(item.status) for item in logged] != ["READY"]:
        problems.append(f"logged models: {[str(item.status) for item in logged]}")
    return problems


def _runs(client: Any, experiment: str) -> list[Any]:
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id])) if found else []


def _points(client: Any, run_id: str) -> dict[str, Counter[tuple[int, float | None]]]:
    """Return the points of each metric, with the number of times that each was logged."""
    return {
        name: Counter((point.step, None if name in TIMED else point.value) for point in client.get_metric_history(run_id, name))
        for name in client.get_run(run_id).data.metrics
        if not name.startswith(SYSTEM)
    }
