"""Search for better parameters by validation perplexity, as search.yaml says: `make search`."""

import argparse

from lstm_lm.experiments import search
from lstm_lm.ui import program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, help="how many in all (search.yaml: trials)")
    parser.add_argument("--minutes", type=float, help="no trial starts after this many minutes")
    args = parser.parse_args()
    search.run(args.trials, args.minutes)


if __name__ == "__main__":
    program.run(main)
