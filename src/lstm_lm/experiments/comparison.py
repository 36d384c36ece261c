"""The experiments of the last commit side by side, those that can be compared in one table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lstm_lm.config import keys, loading
from lstm_lm.experiments import runner
from lstm_lm.io import git
from lstm_lm.ui import terminal
from lstm_lm.ui.terminal import Column
from lstm_lm.wording import unit_name

CHECKOUT, COMMIT = "this checkout", "last commit"
METRICS_FILE, PARAMS_FILE, LOCK_FILE = "reports/metrics.json", "params.yaml", "dvc.lock"
SPLIT_PARAMS = ("vocab.split_by", "vocab.validation", "vocab.test", "vocab.split_seed")  # which part of the text is held out
NOT_RESULTS = ("reporting.", "tracking.", "evaluate_sample.")  # parameters that change no held-out metric of the model

Params = dict[str, Any]  # {"train.epochs": 3, ...}


@dataclass(frozen=True)
class Model:
    """A trained model of this project.

    Attributes:
        name: of the experiment, or CHECKOUT, or COMMIT.
        made: when; None for the checkout.
        metrics: of reports/metrics.json; empty if it was not evaluated.
        params: of params.yaml, flattened.
        held_out: the same for models of the same held-out text.
    """

    name: str
    made: datetime | None
    metrics: dict[str, Any]
    params: Params
    held_out: str

    @property
    def unit(self) -> str:
        return str(self.params.get("vocab.unit", "word"))

    def metric(self, split: str, name: str) -> float | None:
        """Return one of its metrics, or None if it has none of that name."""
        value = self.metrics.get(split, {}).get(name)
        return None if value is None else float(value)


@dataclass(frozen=True)
class Table:
    """Models whose metrics can be compared, the best first: of the same held-out text and the same `vocab.unit`."""

    models: list[Model]

    @property
    def unit(self) -> str:
        return self.models[0].unit

    @property
    def has_one_vocabulary(self) -> bool:
        """Whether perplexities are of the same words."""
        return len({json.dumps(_vocabulary(model), sort_keys=True) for model in self.models}) == 1

    def columns(self) -> list[Column]:
        """Return the columns."""
        return [
            Column("model", align="left"),
            Column("bits/char"),
            Column(f"test ppl/{unit_name(self.unit, 1)}"),
            Column("adjusted ppl", drop_order=1),
            Column("validation ppl", drop_order=2),
            Column("made", align="left", drop_order=3),
        ]

    def rows(self) -> list[list[str]]:
        """Return the rows of a table with `columns`."""
        return [_row(model) for model in self.models]


def read_all() -> list[Model]:
    """Read the checkout, the last commit if its results are others, and the experiments that are based on it.

    Raises:
        UserError: this is no Git repository with a commit.
    """
    experiments = runner.experiments_of_last_commit()
    models = [_read_revision(each.name, each.rev) for each in experiments]
    commit = _read_revision(COMMIT, "HEAD")
    if Path(METRICS_FILE).exists():
        checkout = _model(CHECKOUT, None, *(_read(name) for name in (METRICS_FILE, PARAMS_FILE, LOCK_FILE)))
        models.insert(0, checkout)
        if checkout.metrics == commit.metrics:
            return models
    return [commit, *models] if commit.metrics else models


def has_queue() -> bool:
    """Whether DVC keeps experiments that have not finished: queued, running or failed ones."""
    return bool(git.run("for-each-ref", "--count=1", "refs/exps/celery"))


def tables(models: Sequence[Model]) -> list[Table]:
    """Separate models that cannot be compared, and sort the others by bits per character."""
    groups: dict[tuple[str, str], list[Model]] = {}
    for model in models:
        groups.setdefault((model.held_out, model.unit), []).append(model)
    return [Table(sorted(group, key=_rank)) for group in groups.values()]


def notes(tables: Sequence[Table]) -> list[str]:
    """Return what cannot be compared."""
    lines = []
    units = list(dict.fromkeys(table.unit for table in tables))
    if len(units) > 1:
        listed = " and ".join(unit_name(unit) for unit in units)
        lines.append(f"Between models of {listed}, only bits/char can be compared: perplexity is per token.")
    if any(not table.has_one_vocabulary for table in tables):
        lines.append("Where the vocabularies differ, compare bits/char or adjusted perplexity, which include the cost of unknown words.")
    if len({table.models[0].held_out for table in tables}) > 1:
        lines.append("Models of different held-out texts cannot be compared: download.source or the splits differ.")
    return lines


def changes(model: Model, baseline: Params) -> str:
    """Return the parameters in which a model differs: `epochs=10, learning_rate=0.001`.

    Args:
        model: one of `read_all`.
        baseline: those of the last commit, flattened.
    """
    changed = {name: value for name, value in model.params.items() if not name.startswith(NOT_RESULTS) and value != baseline.get(name)}
    short = [keys.split(name)[1] for name in baseline]
    return ", ".join(f"{_short(name, short)}={_shown(value)}" for name, value in changed.items())


def baseline() -> Params:
    """Return the parameters of the last commit, flattened."""
    return _read_revision(COMMIT, "HEAD").params


def _read_revision(name: str, rev: str) -> Model:
    texts = [git.run("show", f"{rev}:./{file}") for file in (METRICS_FILE, PARAMS_FILE, LOCK_FILE)]
    made = git.run("show", "--no-patch", "--format=%cI", rev)
    return _model(name, datetime.fromisoformat(made.strip()) if made else None, *texts)


def _model(name: str, made: datetime | None, metrics: str | None, params: str | None, lock: str | None) -> Model:
    flat = keys.flatten_sections(loading.parse(params, PARAMS_FILE)) if params else {}
    stages = loading.parse(lock, LOCK_FILE).get("stages", {}) if lock else {}
    text = [out.get("md5") for out in stages.get("download", {}).get("outs", [])]
    held_out = json.dumps([text, *(flat.get(name) for name in SPLIT_PARAMS)])
    return Model(name, made, json.loads(metrics) if metrics else {}, flat, held_out)


def _read(path: str) -> str | None:
    file = Path(path)
    return file.read_text(encoding="utf-8") if file.exists() else None


def _vocabulary(model: Model) -> Params:
    return {name: value for name, value in model.params.items() if name.startswith("vocab.")}


def _rank(model: Model) -> tuple[bool, float]:
    bits = model.metric("test", "bits_per_character")
    return (bits is None, bits or 0.0)


def _row(model: Model) -> list[str]:
    metrics = [
        _number(model.metric("test", "bits_per_character"), 3),
        _number(model.metric("test", "perplexity"), 2),
        terminal.perplexity(model.metric("test", "adjusted_perplexity")),
        _number(model.metric("validation", "perplexity"), 2),
    ]
    return [model.name, *metrics, model.made.astimezone().strftime("%b %d %H:%M") if model.made else ""]


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"


def _short(name: str, all_keys: Sequence[str]) -> str:
    """`train.epochs` -> `epochs`, unless another section has such a key too."""
    key = keys.split(name)[1]
    return key if all_keys.count(key) < 2 else name


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
