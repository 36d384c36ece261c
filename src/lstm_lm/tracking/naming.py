"""Names of runs, and where a run comes from."""

import contextlib
import os

from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError
from lstm_lm.io import git
from lstm_lm.paths import project_root

MOST_SAID = 3  # differences in the name of a run


def name_of(params):
    """A run's name: the preset that comes nearest, and what differs from it.

    The preset `default` is params.yaml as it was committed; outside a Git repository it is as it stands.
    """
    ours = shaping(keys.flatten(params))
    committed = git.run("show", "HEAD:./params.yaml", cwd=".")
    try:
        base = loading.parse(committed, "params.yaml") if committed else loading.read("params.yaml")
        bases = {"default": shaping(keys.flatten(loading.check(base)))}
    except UserError:
        return f"{params.batching.recipe} lstm {params.model.hidden_size} {params.train.optimizer} {params.train.learning_rate:g}"
    folder = project_root() / "presets"  # of the project itself: an experiment's folder lacks those that Git does not know yet
    for name in presets.names(folder):
        with contextlib.suppress(UserError):
            bases[name] = shaping(keys.flatten(loading.check(keys.with_changes(base, presets.load(name, folder)))))
    differing = {name: {key: value for key, value in ours.items() if of_base.get(key) != value} for name, of_base in bases.items()}
    nearest = min(differing, key=lambda name: len(differing[name]))  # the first of equals
    said = [f"{key.partition('.')[2]}={_short(value)}" for key, value in differing[nearest].items()]
    more = [f"and {len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else []
    return " ".join([nearest, *said[:MOST_SAID], *more])


def _short(value):
    text = str(value)
    return text if len(text) <= 30 else f"{text[:27]}..."


def shaping(flat):
    """Of flattened params those that a training is made of: the settings of later stages and of tracking are not."""
    return {key: value for key, value in flat.items() if not key.startswith(("evaluate_sample.", "tracking."))}


def git_tags():
    """The commit, and whether the checkout differs from it; nothing outside a Git repository."""
    commit, changed = (
        git.run("rev-parse", "HEAD", cwd=project_root()),
        git.run("status", "--porcelain", "--untracked-files=no", cwd=project_root()),
    )
    if commit is None or changed is None:
        return {}
    tags = {"mlflow.source.git.commit": commit.strip(), "git.dirty": str(bool(changed.strip())).lower()}
    if os.environ.get("DVC_EXP_NAME"):
        tags["dvc.experiment"] = os.environ["DVC_EXP_NAME"]
    return tags
