"""Commands `ablation` and `presets`: measure changes of params.yaml, or whole presets, and write their tables."""

from typing import Annotated

import typer

from lstm_lm.errors import UserError

Only = Annotated[
    str | None,
    typer.Option(help="run only these, separated by spaces; the table keeps earlier results of the others", show_default=False),
]
Seeds = Annotated[str | None, typer.Option(help="seeds to use instead of those in ablation.yaml, such as '1 2 3'", show_default=False)]
TableOnly = Annotated[bool, typer.Option("--table", help="run nothing; write the table from earlier results")]


def ablation(only: Only = None, seeds: Seeds = None, table: TableOnly = False) -> None:
    """Train with each change in ablation.yaml, one at a time, and write the table in docs/reference/ablation.md."""
    _run(False, only, seeds, table)


def presets(only: Only = None, seeds: Seeds = None, table: TableOnly = False) -> None:
    """Train the presets that ablation.yaml lists, and write the table in docs/reference/results.md."""
    _run(True, only, seeds, table)


def _run(presets: bool, only: str | None, seeds: str | None, table_only: bool) -> None:
    from lstm_lm.experiments import ablation

    ablation.run(presets, only.split() if only else None, parse_seeds(seeds) if seeds else None, table_only)


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of a list such as `1 2 3`.

    Raises:
        UserError: one of them is not an integer.
    """
    try:
        return [int(seed) for seed in text.split()]
    except ValueError:
        raise UserError(f"SEEDS={text}: must be integers from 0, separated by spaces") from None
