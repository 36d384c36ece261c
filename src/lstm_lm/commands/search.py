"""Command `search`: look for better parameters."""

from typing import Annotated

import typer

TRIALS_HELP = "total number of trials (default: that in search.yaml)"


def search(
    trials: Annotated[int | None, typer.Option(help=TRIALS_HELP, min=1, show_default=False)] = None,
    minutes: Annotated[float | None, typer.Option(help="start no trial after this many minutes", min=0, show_default=False)] = None,
) -> None:
    """Search for hyperparameters with a lower validation perplexity, as configured in search.yaml. An interrupted search resumes."""
    from lstm_lm.experiments import search

    search.run(trials, minutes)
