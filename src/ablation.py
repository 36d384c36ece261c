"""Run the changes or the presets of ablation.yaml and write their table: `make ablation`, `make presets`."""

import argparse

from lstm_lm.errors import UserError
from lstm_lm.experiments import ablation
from lstm_lm.ui import console


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", action="store_true", help="run the presets, not the changes")
    parser.add_argument("--only", help="names to run; the table has the others too, as far as they were run before")
    parser.add_argument("--seeds", help="in place of those of ablation.yaml, such as '1 2 3'")
    parser.add_argument("--table", action="store_true", help="run nothing: write the table of what was run")
    args = parser.parse_args()
    try:
        seeds = [int(seed) for seed in args.seeds.split()] if args.seeds else None
    except ValueError:
        raise UserError(f"SEEDS={args.seeds}: must be whole numbers from 0, separated by spaces") from None
    ablation.run(args.presets, args.only.split() if args.only else None, seeds, args.table)


if __name__ == "__main__":
    console.run(main)
