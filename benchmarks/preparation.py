"""The sections preparation and startup: the stages that make ids of a text."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil

import driver
import environments
import recipes
from lstm_lm.config import keys, loading
from lstm_lm.text.sources import fetching
from lstm_lm.ui.markdown import table
from page import gib, number

WORK = environments.FOLDER / "work"
SIZES = {1: 3, 10: 3, 100: 2, 1_000: 1}  # megabytes: rounds
LARGEST_FILE = 10_000_000
FEWEST_FILES = 20  # from so many on whole files are held out
STAGES = ("vocab", "batching")
PEERS = {"a plain Counter script": "counter_script.py", "scikit-learn's CountVectorizer": "count_vectorizer.py"}


@contextlib.contextmanager
def project(name):
    """An empty folder with the parameters of params.yaml, for text in data/own; removed afterwards."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data" / "own").mkdir(parents=True)
    values = keys.with_changes(loading.read(recipes.PROJECT / "params.yaml"), {"download.source": {"path": "data/own"}})
    (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")  # JSON is YAML
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stage(name, folder, **limits):
    """Run a stage's script of this checkout on a folder: (seconds, peak MiB)."""
    return driver.run([sys.executable, str(recipes.PROJECT / "src" / f"{name}.py")], folder, **limits)


def plays():
    """The lines of the text that params.yaml names, kept in .bench/."""
    kept = environments.FOLDER / "plays.txt"
    if not kept.exists():
        download = loading.load(recipes.PROJECT / "params.yaml").download
        text = "\n".join(document.text for document in fetching.fetch(download.source, download.encoding, download.clean))
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text, encoding="utf-8")
    return [line for line in kept.read_text(encoding="utf-8").split("\n") if line.strip()]


def write_text(folder, lines, size):
    """`size` bytes or a little more in files of equal size: the lines again and again, each time shuffled."""
    files = max(FEWEST_FILES, -(-size // LARGEST_FILE))
    draw, lengths = np.random.default_rng(1), np.array([len(line.encode()) + 1 for line in lines])
    order, at = draw.permutation(len(lines)), 0
    for number_of_file in range(files):
        with (folder / f"part-{number_of_file:04}.txt").open("w", encoding="utf-8") as file:
            left = size // files
            while left > 0:
                if at == len(order):
                    order, at = draw.permutation(len(lines)), 0
                count = int(np.searchsorted(np.cumsum(lengths[order[at:]]), left)) + 1
                chosen = order[at : at + count]
                file.write("\n".join(lines[i] for i in chosen) + "\n")
                left -= int(lengths[chosen].sum())
                at += len(chosen)


def preparation(sitting, sizes=None, lines=None):
    """Text in, ids out: the stages `vocab` and `batching`, and two scripts that do the same."""
    lines = lines or plays()
    rows = []
    for megabytes, most in (sizes or ({1: 1} if sitting.quick else SIZES)).items():
        driver.say(f"  {megabytes:,} MB")
        with project("preparation") as folder:
            write_text(folder / "data" / "own", lines, int(megabytes * 1e6))
            rows += prepared(folder, megabytes, min(most, sitting.rounds))
    return table(["", "text", "seconds", "MB/s", "peak memory", "times as long as ours"], rows)


def prepared(folder, megabytes, rounds):
    """The lines of the table about one text."""
    most_mib = 0.9 * psutil.virtual_memory().available / (1 << 20)
    took, problems = {}, {}

    def measure(name, run):
        if name not in problems:
            try:
                took.setdefault(name, []).append(run())
            except RuntimeError as error:
                problems[name] = str(error)

    measure("download", lambda: stage("download", folder, most_mib=most_mib))
    for _ in range(rounds):
        for name in STAGES:
            measure(name, lambda name=name: stage(name, folder, most_mib=most_mib))
        for name, script in PEERS.items():
            command = [sys.executable, str(driver.PEERS / script), str(folder / "data" / "raw"), str(folder / "ids.npy"), "6"]
            measure(name, lambda command=command: driver.run(command, folder, most_mib=most_mib))
    if not problems.keys() & set(STAGES):
        took["both"] = [
            (sum(seconds for seconds, _ in each), max(mib for _, mib in each))
            for each in zip(*(took[name] for name in STAGES), strict=True)
        ]
    names = {"download": "ours, `download`, from a folder", "vocab": "ours, `vocab`", "batching": "ours, `batching`"}
    names |= {"both": "ours, `vocab` and `batching`", **{name: name for name in PEERS}}
    rows = []
    for key, name in names.items():
        if key in problems:
            rows.append([name, f"{megabytes:,} MB", f"none: {problems[key]}", None, None, None])
        elif key in took:
            seconds = driver.median(each for each, _ in took[key])
            ratios = [theirs / mine for (theirs, _), (mine, _) in zip(took[key], took.get("both", []), strict=False)]
            times = f"{driver.median(ratios):.2f}" if key in PEERS and ratios else None
            peak = gib(max(mib for _, mib in took[key]))
            rows.append([name, f"{megabytes:,} MB", number(seconds), number(megabytes / seconds), peak, times])
    return rows


def startup(sitting):
    """What a stage costs on next to no text, and `dvc repro` when there is nothing to do."""
    rounds = sitting.steps(5, 1)
    took = {}
    with project("startup") as folder:
        write_text(folder / "data" / "own", ["to be or not to be that is the question"] * 50, 60_000)
        for _ in range(rounds):
            for name in ("download", *STAGES):
                took.setdefault(f"`{name}`", []).append(stage(name, folder)[0])
            for code in ("pass", "import numpy", "import numpy, pandas"):
                took.setdefault(f"`python -c '{code}'`", []).append(driver.run([sys.executable, "-c", code], folder)[0])
    took["`dvc repro`, nothing to do"] = nothing_to_do(rounds)
    rows = [[name, number(driver.median(each)), number(min(each)), number(max(each))] for name, each in took.items()]
    return table(["", "seconds", "least", "most"], rows)


def nothing_to_do(rounds):
    """Seconds of `dvc repro` in a copy of this checkout, with a tiny text and a tiny model, after it was run there once."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_TRACKING_URI": "",
    }
    dvc = [sys.executable, "-m", "dvc", "repro"]
    with project("repro") as folder:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=recipes.PROJECT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if name not in ("params.yaml", "dvc.lock"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(recipes.PROJECT / name, folder / name)
        tiny = {"model.embedding_size": 8, "model.hidden_size": 8, "model.projection_size": 8, "train.epochs": 1}
        values = keys.with_changes(loading.read(folder / "params.yaml"), tiny)
        (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
        write_text(folder / "data" / "own", ["to be or not to be that is the question"] * 50, 60_000)
        driver.run(["git", "init", "--quiet"], folder)
        driver.run(dvc, folder, environment)
        return [driver.run(dvc, folder, environment)[0] for _ in range(rounds)]
