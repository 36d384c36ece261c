"""The name of a run, and tags for the code it ran."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_lm.config import keys, loading, presets
from lstm_lm.config.schema import Params
from lstm_lm.errors import UserError
from lstm_lm.io import git, hashing
from lstm_lm.paths import project_root
from lstm_lm.tracking import text_source

DEFAULTS = Path(loading.__file__).with_name("defaults.yaml")  # params.yaml as shipped, without what no weight depends on
DEFAULT = "default"
MAX_CHANGES_IN_NAME = 3
MAX_VALUE_LENGTH = 16  # characters of a value in a name
TEXT = "download.source"
NGRAMS = "model.ngrams"
# The weights do not depend on these, and their values may change while the training, and so its run, stays the same.
OTHER_SECTIONS = ("evaluate_sample.", "reporting.", "tracking.")
# What the pipeline itself writes, parameters, which each run has anyway, and text: a change of theirs is none of the code.
NOT_CODE = ("params.yaml", "dvc.lock", "reports", "data/own")
DVC_SOURCE = "dvc repro"
# MLflow's charts show the first 16 characters of a name.
SHORT_NAMES = {
    "train.learning_rate": "lr",
    "train.weight_decay": "wd",
    "train.beta2": "beta2",
    "train.activation_regularization": "ar",
    "train.temporal_regularization": "tar",
    "train.warmup_steps": "warmup",
    "train.clip_norm": "clip",
    "train.ema_decay": "ema",
    "train.sampled_words": "sampled",
    "train.optimizer": "optim",
    "batching.batch_size": "batch",
    "batching.sequence_length": "seq_len",
    "model.embedding_size": "emb",
    "model.hidden_size": "hidden",
    "model.projection_size": "proj",
    "model.mogrifier_rounds": "mogrifier",
    "model.mogrifier_rank": "mog_rank",
    "model.tie_weights": "tied",
    "model.adaptive_cutoffs": "cutoffs",
    "model.ensemble_size": "ensemble",
    NGRAMS: "ngrams",
    "model.initializer_scale": "init_scale",
    "model.dropout_words": "drop_words",
    "model.dropout_input": "drop_in",
    "model.dropout_hidden": "drop_hidden",
    "model.dropout_output": "drop_out",
    "model.dropout_recurrent": "drop_rec",
    "vocab.keep_punctuation": "keep",
}
FIRST = ("train.seed",)  # what differs among trainings that are otherwise the same


@dataclass(frozen=True)
class _Recipe:
    """Parameters that have a name. preset: "" for none. base: "" for params.yaml as shipped. values: flattened, without the text."""

    preset: str
    base: str
    values: Mapping[str, object]

    @property
    def name(self) -> list[str]:
        return [part for part in (self.preset, self.base) if part] or [DEFAULT]

    def changes(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return those of the values that are not the recipe's."""
        return {key: value for key, value in values.items() if self.values.get(key) != value}


def run_name(settings: Params) -> str:
    """Name a run after what differs from the closest recipe, then that recipe: `lr=0.002`, `hidden=64 (cookbook)`, `best (tolstoy)`.

    The recipe `default` is params.yaml as shipped, and the presets are relative to it. A name that would leave out changes is relative to
    params.yaml as last committed, by the name that a run of it has: `lr=0.002 (min_count=2 batch=8 epochs=5)`, or if that one would leave
    out changes itself, by four digits: `lr=0.002 (params-3f2a)`. Another text than the shipped one is named last.
    """
    shipped = {**settings.model_dump(), **loading.read(DEFAULTS)}
    values = _without_text(settings)
    recipe, changes = _closest(values, _recipes(shipped, ""))
    if len(changes) > MAX_CHANGES_IN_NAME and (committed := _committed()):
        base = _base_name(_without_text(loading.check(committed)), shipped)
        recipe, changes = min((recipe, changes), _closest(values, _recipes(committed, base)), key=lambda found: len(found[1]))
    source = settings.model_dump()["download"]["source"]
    is_shipped_text = settings.download.source == loading.check(shipped).download.source
    text = [] if is_shipped_text else [text_source.name(source, text_source.present_documents())]
    shown = limited(short_changes(changes))
    relative_to = [] if shown and recipe.name == [DEFAULT] else recipe.name
    first, details = (" ".join(shown), relative_to + text) if shown else (relative_to[0], relative_to[1:] + text)
    return f"{first} ({', '.join(details)})" if details else first


def _base_name(committed: Mapping[str, object], shipped: dict[str, Any]) -> str:
    """Name params.yaml as last committed, as a run of it is named, but for the text. One that differs much has digits.

    Args:
        committed: its values, flattened, without the text.
        shipped: values of params.yaml as shipped.
    """
    recipe, changes = _closest(committed, _recipes(shipped, ""))
    if len(changes) > MAX_CHANGES_IN_NAME:
        return f"params-{hashing.digest_json(committed)[:4]}"
    return " ".join([*short_changes(changes), *(part for part in recipe.name if part != DEFAULT)])


def short_changes(changes: Mapping[str, object]) -> list[str]:
    """Write changed parameters as they stand in names: `lr=0.002`."""
    ordered = sorted(changes, key=lambda key: key not in FIRST)
    return [f"{SHORT_NAMES.get(key, key.partition('.')[2])}={_shorten(_compact(key, changes[key]))}" for key in ordered]


def limited(changes: list[str]) -> list[str]:
    """Return the first changes of a name, then how many more there are: a longer name is cut off on every page."""
    more = len(changes) - MAX_CHANGES_IN_NAME
    return [*changes[:MAX_CHANGES_IN_NAME], f"+{more}"] if more > 0 else changes


def _closest(values: Mapping[str, object], recipes: Iterable[_Recipe]) -> tuple[_Recipe, dict[str, object]]:
    """Return the recipe from which the fewest values differ, the first of several, and those values."""
    return min(((recipe, recipe.changes(values)) for recipe in recipes), key=lambda found: len(found[1]))


def _recipes(values: dict[str, Any], base: str) -> Iterator[_Recipe]:
    """Yield the recipe of the values of params.yaml, and each preset on top of them."""
    yield _Recipe("", base, _without_text(loading.check(values)))
    # The original project's presets: the folder of an isolated experiment lacks those that Git does not track yet.
    folder = project_root() / "presets"
    for preset in presets.names(folder):
        with contextlib.suppress(UserError):
            yield _Recipe(preset, base, _without_text(loading.check(keys.with_changes(values, presets.load(preset, folder)))))


def _committed() -> dict[str, Any] | None:
    """Return the values of params.yaml as last committed, None if there are none that can be used."""
    text = git.run("show", "HEAD:./params.yaml")
    with contextlib.suppress(UserError):
        values = loading.parse(text or "", "params.yaml")
        loading.check(values)
        return values
    return None


def _without_text(settings: Params) -> dict[str, object]:
    """Return the parameters that the weights depend on, flattened, without where the text comes from."""
    return {key: value for key, value in training_params(keys.flatten(settings)).items() if key != TEXT}


def _compact(key: str, value: object) -> object:
    """Return a value without what its key says anyway: `3:auto` for the order and weight of n-grams, which are JSON."""
    if key != NGRAMS or not isinstance(value, str):
        return value
    ngrams = json.loads(value)
    return f"{ngrams['order']}:{_shorten(ngrams['weight'])}"


def _shorten(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 3]}..."


def training_params(flat: Mapping[str, object]) -> dict[str, object]:
    """Keep the parameters that the weights depend on.

    Args:
        flat: flattened parameters, such as {"train.epochs": 4}.
    """
    return {key: value for key, value in flat.items() if not key.startswith(OTHER_SECTIONS)}


def source_tags() -> dict[str, str]:
    """Tags for the column `Source` of MLflow's list of runs: what started this one."""
    experiment = os.environ.get("DVC_EXP_NAME")
    return {"mlflow.source.name": f"experiment {experiment}" if experiment else DVC_SOURCE, "mlflow.source.type": "LOCAL"}


def git_tags(has_text: bool | None = None) -> dict[str, str]:
    """Tags for the commit, whether it lacks anything of the run, and the DVC experiment; empty outside a Git repository.

    Args:
        has_text: whether the commit has the run's text, see `committed_text`; None: only the code counts.
    """
    commit = git.run("rev-parse", "HEAD", cwd=project_root())
    code = [".", *(f":(exclude){path}" for path in NOT_CODE)]
    changes = git.run("status", "--porcelain", "--untracked-files=no", "--", *code, cwd=project_root())
    if commit is None or changes is None:
        return {}
    tags = {"mlflow.source.git.commit": commit.strip(), "git.dirty": str(bool(changes.strip()) or has_text is False).lower()}
    if os.environ.get("DVC_EXP_NAME"):
        tags["dvc.experiment"] = os.environ["DVC_EXP_NAME"]
    return tags
