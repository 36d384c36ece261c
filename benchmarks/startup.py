"""The section `startup`: the fixed cost of a stage and of `dvc repro`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import corpus
import processes
import systems
from lstm_lm.config import keys, loading
from lstm_lm.ui.markdown import table
from page import number
from session import Session
from timing import median

STAGES = ("download", "vocab", "batching")
PYTHON_CODE = ("pass", "import numpy", "import numpy, pandas")
TINY_MODEL = {"model.embedding_size": 8, "model.hidden_size": 8, "model.projection_size": 8, "train.epochs": 1}
HEADINGS = ["", "seconds", "min", "max"]


def startup(session: Session) -> str:
    """Measure the data stages on a tiny text, Python and its imports, and `dvc repro` with nothing to do."""
    rounds = session.pick(5, 1)
    seconds: dict[str, list[float]] = {}
    with corpus.project("startup") as folder:
        corpus.write_text(folder / "data" / "own", corpus.TINY_LINES, corpus.TINY_BYTES)
        for _ in range(rounds):
            for name in STAGES:
                seconds.setdefault(f"`{name}`", []).append(corpus.run_stage(name, folder).seconds)
            for code in PYTHON_CODE:
                seconds.setdefault(f"`python -c '{code}'`", []).append(processes.run([sys.executable, "-c", code], folder).seconds)
    seconds["`dvc repro`, nothing to do"] = repro_with_nothing_to_do(rounds)
    return table(HEADINGS, [[name, number(median(each)), number(min(each)), number(max(each))] for name, each in seconds.items()])


def repro_with_nothing_to_do(rounds: int) -> list[float]:
    """Return the seconds of repeated `dvc repro` in a copy of this checkout, after a first run on a tiny text with a tiny model."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_TRACKING_URI": "",
    }
    command = [sys.executable, "-m", "dvc", "repro"]
    with corpus.project("repro") as folder:
        copy_checkout(folder)
        values = keys.with_changes(loading.read(folder / "params.yaml"), TINY_MODEL)
        (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
        corpus.write_text(folder / "data" / "own", corpus.TINY_LINES, corpus.TINY_BYTES)
        processes.run(["git", "init", "--quiet"], folder)
        processes.run(command, folder, environment)
        return [processes.run(command, folder, environment).seconds for _ in range(rounds)]


def copy_checkout(folder: Path) -> None:
    """Copy the tracked files of this checkout, except the parameters and the record of the last run."""
    command = ["git", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=systems.PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        if name not in ("params.yaml", "dvc.lock"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(systems.PROJECT / name, folder / name)
