"""Command `search`: look for better parameters."""

from typing import Annotated

import typer


def search(
    trials: Annotated[int | None, typer.Option(help="number of trials in all (default: that of search.yaml)", show_default=False)] = None,
    minutes: Annotated[float | None, typer.Option(help="start no trial after this many minutes", show_default=False)] = None,
) -> None:
    """Search for parameters with a lower validation perplexity, as search.yaml says. An interrupted search resumes."""
    from lstm_lm.experiments import search

    search.run(trials, minutes)
