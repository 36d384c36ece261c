"""The saved views of this project, and writing them to an experiment."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from lstm_lm.tracking.views import comparison, runs_table
from lstm_lm.tracking.views.saved_view import SavedView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient

SEARCH_SUFFIX = "-search"  # of the name of an experiment with the trials of a search

LEADERBOARD = SavedView("leaderboard", "Leaderboard", "table", runs_table.state())
COMPARISON = SavedView("compare", "Compare trainings", "charts", {**runs_table.state(), **comparison.state()})
# MLflow shows the first table of each run, grouped by its first column: a row for each prompt, a column for each run.
SAMPLES = SavedView("samples", "Samples side by side", "artifacts", {**runs_table.state(), "runListHidden": True})
VIEWS = (LEADERBOARD, COMPARISON, SAMPLES)
LINK = r"\[[^\]]*\]\(#/experiments/\d+/runs\?[^)]*\)"
DESCRIPTION = re.compile(rf"(LSTM language models, [^\[]*)?{LINK}( · {LINK})*(\n\nPerplexities [^\[]*)?")
# With the links, a line in a window 1280 pixels wide; MLflow folds the rest away.
ORDER = "lowest test perplexity first; bits per character compare all of one text"
RULES = "Perplexities compare only runs of the same text, unit and vocabulary: see the columns `text` and `vocab.unit`."
TRIALS_ORDER = "trials of searches, lowest validation perplexity first; compare those of one search"
TRIALS_RULES = (
    "Perplexities compare only trials of the same text and the same number of epochs: each search has a run, which holds its trials."
)
TRIALS = SavedView("leaderboard", "Leaderboard", "table", runs_table.state(runs_table.TRIAL_METRICS))


def views(experiment: str) -> tuple[SavedView, ...]:
    """Return the views of an experiment with this name. A trial of a search has no test text, and no samples."""
    return (TRIALS,) if is_search(experiment) else VIEWS


def is_search(experiment: str) -> bool:
    """Whether the runs of an experiment with this name are trials of a search."""
    return experiment.endswith(SEARCH_SUFFIX)


def links(experiment_id: str, experiment: str) -> list[tuple[str, str]]:
    """Return the title and the address of each view of an experiment, relative to that of MLflow's pages."""
    return [(view.title, view.address(experiment_id)) for view in views(experiment)]


def description(experiment_id: str, experiment: str) -> str:
    """Return a sentence with links to the views, and what may be compared. MLflow shows the first line of it above the runs.

    Args:
        experiment_id: of the experiment.
        experiment: its name.
    """
    shown = " · ".join(f"[{title}]({address})" for title, address in links(experiment_id, experiment))
    order, rules = (TRIALS_ORDER, TRIALS_RULES) if is_search(experiment) else (ORDER, RULES)
    return f"LSTM language models, {order}. {shown}\n\n{rules}"


def is_description(text: str) -> bool:
    """Whether a text is a description that this project wrote: the links alone, in the first version, or a sentence with them."""
    return DESCRIPTION.fullmatch(text) is not None


def update(client: MlflowClient, experiment_id: str, experiment: str, tags: Mapping[str, str]) -> None:
    """Write the views that an experiment lacks, or has in an older version.

    Args:
        client: see `store.connect`.
        experiment_id: of the experiment.
        experiment: its name.
        tags: its tags.
    """
    now = int(time.time() * 1000)
    for place, view in enumerate(views(experiment)):
        if view.replaces(tags.get(view.tag)):
            client.set_experiment_tag(experiment_id, view.tag, view.value(now - place))
