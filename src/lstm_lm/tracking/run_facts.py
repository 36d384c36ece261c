"""What identifies a run outside of MLflow: its name, its code and its parameters."""

from typing import Any

from lstm_lm.config import keys
from lstm_lm.config.schema import Params
from lstm_lm.io.addresses import mask_secrets
from lstm_lm.tracking import committed_text
from lstm_lm.tracking.naming import git_tags, run_name

NOT_OF_THE_RESULT = ("reporting.", "tracking.")  # sections that no result depends on


def describe(settings: Params) -> dict[str, Any]:
    """Return the facts of the run of these parameters, in this checkout.

    Returns:
        name; commit and dirty, whether the checkout has code that the commit lacks (both None outside a Git repository);
        text_in_commit, see `committed_text.is_in_commit`; parameters, `{"train.epochs": 3, ...}`, without those that no result depends
        on and without the secrets of addresses.
    """
    tags = git_tags()
    dirty = tags.get("git.dirty")
    parameters = {
        name: mask_secrets(value) if isinstance(value, str) else value
        for name, value in keys.flatten(settings).items()
        if not name.startswith(NOT_OF_THE_RESULT)
    }
    return {
        "name": run_name(settings),
        "commit": tags.get("mlflow.source.git.commit"),
        "dirty": None if dirty is None else dirty == "true",
        "text_in_commit": committed_text.is_in_commit(settings),
        "parameters": parameters,
    }
