"""Comparisons with peers, side by side in one sitting: see README.md.

usage: bench.py [SECTION ...] [--rounds N] [--quick]
"""

import argparse
import time
from dataclasses import dataclass

import driver
import generation
import page
import preparation
import quality
import training

SECTIONS = {
    "roof": training.roof,
    "training": training.training,
    "default": training.default,
    "large-vocabulary": training.large_vocabulary,
    "generation": generation.generation,
    "preparation": preparation.preparation,
    "growth": training.growth,
    "startup": preparation.startup,
    "quality": quality.quality,
}


@dataclass(frozen=True)
class Sitting:
    """How thorough: turns of each peer, and whether it is only a trial."""

    rounds: int
    quick: bool

    def steps(self, many, few):
        return few if self.quick else many


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Comparisons with peers, side by side in one sitting.")
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; none: all")
    parser.add_argument("--rounds", type=int, default=None, help="turns of each peer (7; with --quick 2)")
    parser.add_argument("--quick", action="store_true", help="a short trial of every section; prints, and leaves the page alone")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}: there are {', '.join(SECTIONS)}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error(f"--rounds {chosen.rounds}: must be >= 1")
    sitting = Sitting(chosen.rounds or (2 if chosen.quick else 7), chosen.quick)
    for name, measure in SECTIONS.items():
        if name in chosen.sections or not chosen.sections:
            began = time.monotonic()
            driver.say(f"{name} ...")
            text = f"{measure(sitting)}\n\n{page.machine()}."
            print(f"\n## {name}\n\n{text}\n", flush=True)
            driver.say(f"{name}: {time.monotonic() - began:.0f} s")
            if not chosen.quick:
                page.write(page.PAGE, name, text)


if __name__ == "__main__":
    main()
