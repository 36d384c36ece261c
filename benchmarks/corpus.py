"""Temporary projects with text of a chosen size, for the data stages to run on."""

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import environments
import processes
import systems
from lstm_lm.config import keys, loading
from lstm_lm.text.sources import fetching

WORK = environments.FOLDER / "work"
MAX_FILE_BYTES = 10_000_000
MIN_FILES = 20  # with so many files, whole files are held out
TINY_LINES = ["to be or not to be that is the question"] * 50
TINY_BYTES = 60_000


@contextlib.contextmanager
def project(name: str) -> Iterator[Path]:
    """Create an empty folder with the parameters of params.yaml that reads its text from data/own. It is removed afterwards."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data" / "own").mkdir(parents=True)
    values = keys.with_changes(loading.read(systems.PROJECT / "params.yaml"), {"download.source": {"path": "data/own"}})
    (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")  # JSON is YAML
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_stage(name: str, folder: Path, max_mib: float | None = None) -> processes.Usage:
    """Run a stage's script of this checkout on a folder."""
    return processes.run([sys.executable, str(systems.PROJECT / "src" / f"{name}.py")], folder, max_mib=max_mib)


def shakespeare() -> list[str]:
    """Return the lines of the text that params.yaml names. A copy is kept in .bench/."""
    copy = environments.FOLDER / "plays.txt"
    if not copy.exists():
        download = loading.load(systems.PROJECT / "params.yaml").download
        text = "\n".join(document.text for document in fetching.fetch(download.source, download.encoding, download.clean))
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    return [line for line in copy.read_text(encoding="utf-8").split("\n") if line.strip()]


def write_text(folder: Path, lines: Sequence[str], size: int, files: int | None = None) -> None:
    """Write files of equal size, `size` bytes or slightly more in total. The lines repeat as needed, reshuffled each time.

    Args:
        folder: where.
        lines: what the text is made of.
        size: of all files.
        files: how many; None: of at most 10 MB, and enough to hold out whole ones.
    """
    files = files or max(MIN_FILES, -(-size // MAX_FILE_BYTES))
    generator, lengths = np.random.default_rng(1), np.array([len(line.encode()) + 1 for line in lines])
    order, position = generator.permutation(len(lines)), 0
    for index in range(files):
        with (folder / f"part-{index:04}.txt").open("w", encoding="utf-8") as file:
            remaining = size // files
            while remaining > 0:
                if position == len(order):
                    order, position = generator.permutation(len(lines)), 0
                count = int(np.searchsorted(np.cumsum(lengths[order[position:]]), remaining)) + 1
                selected = order[position : position + count]
                file.write("\n".join(lines[i] for i in selected) + "\n")
                remaining -= int(lengths[selected].sum())
                position += len(selected)
