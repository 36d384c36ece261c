"""The name of a run, and tags for the code it ran."""

import contextlib
import os
from collections.abc import Mapping

from lstm_lm.config import keys, loading, presets
from lstm_lm.config.schema import Params
from lstm_lm.errors import UserError
from lstm_lm.io import git
from lstm_lm.paths import project_root

MAX_CHANGES_IN_NAME = 3
MAX_VALUE_LENGTH = 30  # characters of a value in a name
# The weights do not depend on these, and their values may change while the training, and so its run, stays the same.
OTHER_SECTIONS = ("evaluate_sample.", "reporting.", "tracking.")


def run_name(settings: Params) -> str:
    """Name a run after the closest preset and the parameters that differ from it, as in `cookbook hidden_size=64`.

    The preset `default` is params.yaml as last committed, or as it is on disk outside a Git repository.
    """
    values = training_params(keys.flatten(settings))
    committed = git.run("show", "HEAD:./params.yaml")
    try:
        base = loading.parse(committed, "params.yaml") if committed else loading.read("params.yaml")
        candidates = {"default": training_params(keys.flatten(loading.check(base)))}
    except UserError:
        return f"{settings.batching.recipe} lstm {settings.model.hidden_size} {settings.train.optimizer} {settings.train.learning_rate:g}"
    # The original project's presets: the folder of an isolated experiment lacks those that Git does not track yet.
    folder = project_root() / "presets"
    for preset in presets.names(folder):
        with contextlib.suppress(UserError):
            changed = loading.check(keys.with_changes(base, presets.load(preset, folder)))
            candidates[preset] = training_params(keys.flatten(changed))
    differences = {
        preset: {key: value for key, value in values.items() if of_preset.get(key) != value} for preset, of_preset in candidates.items()
    }
    closest = min(differences, key=lambda preset: len(differences[preset]))  # the first of several equally close ones
    changes = [f"{key.partition('.')[2]}={_shorten(value)}" for key, value in differences[closest].items()]
    rest = [f"and {len(changes) - MAX_CHANGES_IN_NAME} more"] if len(changes) > MAX_CHANGES_IN_NAME else []
    return " ".join([closest, *changes[:MAX_CHANGES_IN_NAME], *rest])


def _shorten(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 3]}..."


def training_params(flat: Mapping[str, object]) -> dict[str, object]:
    """Keep the parameters that the weights depend on.

    Args:
        flat: flattened parameters, such as {"train.epochs": 4}.
    """
    return {key: value for key, value in flat.items() if not key.startswith(OTHER_SECTIONS)}


def git_tags() -> dict[str, str]:
    """Tags for the commit, whether the checkout has uncommitted changes, and the DVC experiment; empty outside a Git repository."""
    commit = git.run("rev-parse", "HEAD", cwd=project_root())
    changes = git.run("status", "--porcelain", "--untracked-files=no", cwd=project_root())
    if commit is None or changes is None:
        return {}
    tags = {"mlflow.source.git.commit": commit.strip(), "git.dirty": str(bool(changes.strip())).lower()}
    if os.environ.get("DVC_EXP_NAME"):
        tags["dvc.experiment"] = os.environ["DVC_EXP_NAME"]
    return tags
