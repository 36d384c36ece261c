"""The section `preparation`: the stages that turn text into ids, and two scripts that do the same."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil

import corpus
import driver
import processes
from lstm_lm.ui.markdown import table
from page import gib, not_measured, number
from processes import Usage
from session import Session
from timing import median

SIZES: dict[float, int] = {1: 3, 10: 3, 100: 2, 1_000: 1}  # megabytes: rounds
STAGES = ("vocab", "batching")
BOTH = "both stages"
SCRIPTS = {"a plain Counter script": "counter_script.py", "scikit-learn's CountVectorizer": "count_vectorizer.py"}
LABELS = {
    "download": "ours, `download`, from a folder",
    "vocab": "ours, `vocab`",
    "batching": "ours, `batching`",
    BOTH: "ours, `vocab` and `batching`",
    **{name: name for name in SCRIPTS},
}
HEADINGS = ["", "text", "seconds", "MB/s", "peak memory", "time relative to ours"]
MIN_COUNT = 6  # the scripts keep words with at least this many occurrences
MEMORY_FRACTION = 0.9  # of the available memory, for one process


class Measurements:
    """Usage of each command in each round. A command that fails once is not run again."""

    def __init__(self) -> None:
        self.usage: dict[str, list[Usage]] = {}
        self.problems: dict[str, str] = {}

    def measure(self, name: str, run: Callable[[], Usage]) -> None:
        """Run a command and record its usage or its error."""
        if name in self.problems:
            return
        try:
            self.usage.setdefault(name, []).append(run())
        except RuntimeError as error:
            self.problems[name] = str(error)

    def add_sum(self, name: str, parts: Sequence[str]) -> None:
        """Record the total time and peak memory of commands that run one after the other, unless one of them failed."""
        if self.problems.keys() & set(parts):
            return
        rounds = zip(*(self.usage[part] for part in parts), strict=True)
        self.usage[name] = [Usage(sum(each.seconds for each in usages), max(each.peak_mib for each in usages)) for usages in rounds]

    def seconds(self, name: str) -> list[float]:
        """Return the seconds of a command in each round."""
        return [usage.seconds for usage in self.usage.get(name, [])]


def preparation(session: Session, sizes: Mapping[float, int] | None = None, lines: Sequence[str] | None = None) -> str:
    """Measure the stages `vocab` and `batching` and the two scripts.

    Args:
        session: how thorough.
        sizes: rounds by size of the text in megabytes.
        lines: the lines that the text is made of, by default Shakespeare's.
    """
    lines = lines or corpus.shakespeare()
    rows = []
    for megabytes, rounds in (sizes or ({1: 1} if session.quick else SIZES)).items():
        driver.log(f"  {megabytes:,} MB")
        with corpus.project("preparation") as folder:
            corpus.write_text(folder / "data" / "own", lines, int(megabytes * 1e6))
            measurements = measure(folder, min(rounds, session.rounds))
        rows += [row(name, measurements, megabytes) for name in LABELS if name in measurements.problems or name in measurements.usage]
    return table(HEADINGS, rows)


def measure(folder: Path, rounds: int) -> Measurements:
    """Run the stages and the scripts on the text in a folder."""
    max_mib = MEMORY_FRACTION * psutil.virtual_memory().available / (1 << 20)
    measurements = Measurements()
    measurements.measure("download", partial(corpus.run_stage, "download", folder, max_mib))
    for _ in range(rounds):
        for name in STAGES:
            measurements.measure(name, partial(corpus.run_stage, name, folder, max_mib))
        for name, script in SCRIPTS.items():
            paths = [str(folder / "data" / "raw"), str(folder / "ids.npy")]
            command = [sys.executable, str(driver.PEERS / script), *paths, str(MIN_COUNT)]
            measurements.measure(name, partial(processes.run, command, folder, max_mib=max_mib))
    measurements.add_sum(BOTH, STAGES)
    return measurements


def row(name: str, measurements: Measurements, megabytes: float) -> list[str | None]:
    """Return a table row. The scripts are compared with both stages together."""
    cells = [LABELS[name], f"{megabytes:,} MB"]
    if name in measurements.problems:
        return [*cells, not_measured(measurements.problems[name]), None, None, None]
    seconds = measurements.seconds(name)
    total = median(seconds)
    assert total is not None
    pairs = zip(seconds, measurements.seconds(BOTH), strict=False)
    relative = median(theirs / ours for theirs, ours in pairs) if name in SCRIPTS else None
    peak = gib(max(usage.peak_mib for usage in measurements.usage[name]))
    return [*cells, number(total), number(megabytes / total), peak, None if relative is None else f"{relative:.2f}"]
