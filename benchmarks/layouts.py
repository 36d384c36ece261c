"""The section `layouts`: the data stages on the same text in one file and in many, and with a character outside the basic plane."""

from collections.abc import Sequence
from pathlib import Path

import corpus
import driver
from lstm_lm.ui.markdown import table
from page import gib, number
from session import Session
from timing import median

STAGES = ("download", "vocab", "batching")
MEGABYTES, FILES, ROUNDS = 1_000, 10_000, 2
EMOJI = "\N{GRINNING FACE}"  # a Python string that has it takes four bytes for every character
HEADINGS = ["", "`download`", "`vocab`", "`batching`", "peak memory of each"]


def layouts(session: Session, megabytes: float | None = None, files: int | None = None, lines: Sequence[str] | None = None) -> str:
    """Measure the three data stages on each layout of a text.

    Args:
        session: how thorough.
        megabytes: size of the text.
        files: how many files the text is split into.
        lines: the lines that the text is made of, by default Shakespeare's.
    """
    megabytes = megabytes or (1 if session.quick else MEGABYTES)
    files = files or (100 if session.quick else FILES)
    lines = lines or corpus.shakespeare()
    rows = []
    for name, count, extra in (("one file", 1, ""), (f"{files:,} files", files, ""), ("one file with one emoji", 1, EMOJI)):
        driver.log(f"  {megabytes:,} MB, {name}")
        with corpus.project("layouts") as folder:
            corpus.write_text(folder / "data" / "own", lines, int(megabytes * 1e6), count)
            if extra:
                _append(folder / "data" / "own", extra)
            rows.append([f"{megabytes:,} MB in {name}", *measure(folder, min(ROUNDS, session.rounds))])
    return table(HEADINGS, rows)


def _append(folder: Path, text: str) -> None:
    with next(folder.iterdir()).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def measure(folder: Path, rounds: int) -> list[str | None]:
    """Run the stages on the text in a folder: the median of each one's seconds, and their peak memory."""
    usages = {stage: [corpus.run_stage(stage, folder) for _ in range(rounds)] for stage in STAGES}
    seconds = [number(median([usage.seconds for usage in usages[stage]])) for stage in STAGES]
    peaks = ", ".join(gib(max(usage.peak_mib for usage in usages[stage])) or "" for stage in STAGES)
    return [*(f"{value} s" for value in seconds), peaks]
