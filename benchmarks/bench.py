"""Compare this project with other implementations, measured in the same session. See README.md.

usage: bench.py [SECTION ...] [--rounds N] [--quick] [--minutes M] [--data FOLDER[:PRESET] ...]
"""

import argparse
import time
from collections.abc import Callable, Sequence

import driver
import generation
import growth
import layouts
import page
import peak
import preparation
import quality
import records
import serving
import softmax
import startup
import training
from lstm_lm.errors import UserError
from session import Session

SECTIONS: dict[str, Callable[[Session], str]] = {
    "peak": peak.peak,
    "training": training.training,
    "default": training.default,
    "large-vocabulary": training.large_vocabulary,
    "softmax": softmax.softmax,
    "generation": generation.generation,
    "serving": serving.serving,
    "preparation": preparation.preparation,
    "layouts": layouts.layouts,
    "growth": growth.growth,
    "startup": startup.startup,
    "quality": quality.quality,
    "records": records.records,
}
ROUNDS, QUICK_ROUNDS = 7, 2


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments: sections, rounds and quick."""
    parser = argparse.ArgumentParser(description="Compare this project with other implementations, measured in the same session.")
    parser.add_argument("sections", nargs="*", metavar="section", help=f"any of {', '.join(SECTIONS)} (default: all of them)")
    parser.add_argument("--rounds", type=int, default=None, help=f"rounds of measurement (default: {ROUNDS}; with --quick {QUICK_ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="try every section briefly: print the tables, leave the page unchanged")
    parser.add_argument("--minutes", type=float, default=None, help="records: minutes of training for each system (default: train.minutes)")
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="FOLDER[:PRESET]",
        help="records: a folder with the outputs of the stages vocab and batching, and the preset for ours (default: data, params.yaml)",
    )
    args = parser.parse_args(arguments)
    if unknown := set(args.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}")
    if args.rounds is not None and args.rounds < 1:
        parser.error(f"--rounds {args.rounds}: must be >= 1")
    if args.minutes is not None and not 0 < args.minutes < float("inf"):
        parser.error(f"--minutes {args.minutes}: must be > 0")
    try:
        args.texts = tuple(map(records.parse_text, args.data))
    except UserError as error:
        parser.error(str(error))
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the requested sections, print their tables, and update the page unless this is a quick run."""
    args = parse(arguments)
    session = Session(args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS), args.quick, args.minutes, args.texts)
    for name, measure in SECTIONS.items():
        if args.sections and name not in args.sections:
            continue
        start = time.monotonic()
        driver.log(f"{name} ...")
        text = measure(session)
        if page.machine() not in text:  # the tables of records each have their own
            text += f"\n\n{page.machine()}."
        print(f"\n## {name}\n\n{text}\n", flush=True)
        driver.log(f"{name}: {time.monotonic() - start:.0f} s")
        if not args.quick:
            page.write(page.PAGE, name, text)


if __name__ == "__main__":
    main()
