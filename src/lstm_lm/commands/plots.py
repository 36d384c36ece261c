"""Command `plots`: the curves of this checkout and of experiments on one page."""

from pathlib import Path
from typing import Annotated

import typer

from lstm_lm.errors import UserError

HISTORY = "models/history.csv"  # of which the curves are drawn
WORKSPACE = "workspace"  # DVC's name for this checkout
MAX_EXPERIMENTS = 5  # that are drawn unless some are named: more curves cannot be told apart


def plots(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"names of experiments, or Git revisions (default: the latest {MAX_EXPERIMENTS} experiments based on the last commit)",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw the curves of this checkout and of experiments on one page, dvc_plots/index.html, which works offline."""
    from lstm_lm.experiments import runner
    from lstm_lm.ui import terminal

    if not Path(HISTORY).exists():
        raise UserError(f"{HISTORY} is missing: run the pipeline first, with: make repro")
    latest = runner.experiments_of_last_commit()
    names = experiments or [each.name for each in latest[:MAX_EXPERIMENTS]]
    for name in experiments or []:
        check_results(name, [each.name for each in latest])
    if not experiments and len(latest) > MAX_EXPERIMENTS:
        terminal.note(f'these are the latest {MAX_EXPERIMENTS} of {len(latest)} experiments; name others with EXPERIMENTS="..."')
    raise typer.Exit(runner.run_dvc(["plots", "diff", WORKSPACE, *names] if names else ["plots", "show"]))


def check_results(name: str, experiments: list[str]) -> None:
    """Check that DVC can draw the curves of an experiment, or of a Git revision.

    Args:
        name: of it.
        experiments: those of the last commit.

    Raises:
        UserError: there is no such revision, or its results are not on this machine.
    """
    from lstm_lm.experiments.runner import Experiment, missing_results_problem
    from lstm_lm.io import git

    is_revision = git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") or git.run("for-each-ref", f"refs/exps/*/*/{name}")
    if not is_revision:
        known = ", ".join(experiments) or "none yet"
        raise UserError(f"EXPERIMENTS={name}: there is no such experiment or Git revision: use one of the last commit ({known})")
    try:
        Experiment(name, name).read(HISTORY)
    except UserError:
        problem = missing_results_problem(name)
        raise UserError(f"EXPERIMENTS={name}: " + problem + ", or leave it out: make plots compares with this checkout") from None
