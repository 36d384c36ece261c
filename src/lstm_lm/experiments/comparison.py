"""The experiments of the last commit side by side, those that can be compared in one table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lstm_lm.config import keys, loading
from lstm_lm.experiments import runner
from lstm_lm.experiments.locked_run import LOCK_FILE, PARAMS_FILE, LockedRun, Params
from lstm_lm.io import git
from lstm_lm.ui import terminal
from lstm_lm.ui.terminal import Column
from lstm_lm.wording import listed, unit_name

CHECKOUT, COMMIT = "this checkout", "last commit"
METRICS_FILE = "reports/metrics.json"
NOT_RESULTS = ("reporting.", "tracking.", "evaluate_sample.")  # parameters that change no held-out metric of the model
MAX_LISTED = 5  # names of parameters in a note


@dataclass(frozen=True)
class Model:
    """A trained model of this project.

    Attributes:
        name: of the experiment, or CHECKOUT, or COMMIT.
        made: when; None for the checkout.
        metrics: of reports/metrics.json; empty if it was not evaluated.
        params: those that it was trained with, flattened.
        vocabulary: the same for models of the same vocabulary.
        test_text, validation_text: see `LockedRun.held_out`.
        changed: the parameters that are others in params.yaml now.
        is_evaluated: whether the metrics are of the model that was trained last.
    """

    name: str
    made: datetime | None
    metrics: dict[str, Any]
    params: Params
    vocabulary: str
    test_text: frozenset[str]
    validation_text: frozenset[str]
    changed: tuple[str, ...] = ()
    is_evaluated: bool = True

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
        return len({model.vocabulary for model in self.models}) == 1

    @property
    def has_one_validation_text(self) -> bool:
        """Whether validation perplexities are of the same text."""
        return len(_connected(self.models, [model.validation_text for model in self.models])) == 1

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
    groups: dict[tuple[int, str], list[Model]] = {}
    for text, of_text in enumerate(_by_test_text(models)):
        for model in of_text:
            groups.setdefault((text, model.unit), []).append(model)
    return [Table(sorted(group, key=_rank)) for group in groups.values()]


def _by_test_text(models: Sequence[Model]) -> list[list[Model]]:
    return _connected(models, [model.test_text for model in models])


def _connected(models: Sequence[Model], texts: Sequence[frozenset[str]]) -> list[list[Model]]:
    """Group the models whose texts have something in common, directly or through others, in order of the first model of each."""
    groups: list[tuple[frozenset[str], list[int]]] = []
    for i, text in enumerate(texts):
        same = [group for group in groups if group[0] & text]
        merged = (text.union(*(keys for keys, _ in same)), sorted([i, *(number for _, members in same for number in members)]))
        groups = [*(group for group in groups if group not in same), merged]
    return [[models[i] for i in members] for members in sorted(members for _, members in groups)]


def notes(tables: Sequence[Table]) -> list[str]:
    """Return what cannot be compared."""
    lines = []
    units = list(dict.fromkeys(table.unit for table in tables))
    if len(units) > 1:
        listed = " and ".join(unit_name(unit) for unit in units)
        lines.append(f"Between models of {listed}, only bits/char can be compared: perplexity is per token.")
    if any(not table.has_one_vocabulary for table in tables):
        lines.append("Where the vocabularies differ, compare bits/char or adjusted perplexity, which include the cost of unknown words.")
    if len(_by_test_text([model for table in tables for model in table.models])) > 1:
        lines.append("Models of different held-out texts cannot be compared: download.source or the splits differ.")
    if any(not table.has_one_validation_text for table in tables):
        lines.append("Where only the test text is the same, validation perplexities cannot be compared.")
    return lines


def outdated(models: Sequence[Model]) -> list[str]:
    """Return whose results are not those of the files beside them."""
    lines = []
    for model in models:
        if model.changed:
            lines.append(f"{model.name}: params.yaml has changed since this run ({listed(model.changed, MAX_LISTED)}).")
        if not model.is_evaluated:
            lines.append(f"{model.name}: its metrics are of an earlier model: make repro evaluates the one that was trained since.")
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
    """Return the parameters in params.yaml of the last commit, flattened."""
    return _parameters(git.run("show", f"HEAD:./{PARAMS_FILE}"))


def _read_revision(name: str, rev: str) -> Model:
    texts = [git.run("show", f"{rev}:./{file}") for file in (METRICS_FILE, PARAMS_FILE, LOCK_FILE)]
    made = git.run("show", "--no-patch", "--format=%cI", rev)
    return _model(name, datetime.fromisoformat(made.strip()) if made else None, *texts)


def _model(name: str, made: datetime | None, metrics: str | None, params: str | None, lock: str | None) -> Model:
    present = _parameters(params)
    run = LockedRun(lock)
    changed = run.changed_since(present)
    flat = {key: value for key, value in {**present, **run.params}.items() if key in run.params or key not in changed}
    return Model(
        name,
        made,
        json.loads(metrics) if metrics else {},
        flat,
        json.dumps(run.vocabulary or {key: value for key, value in flat.items() if key.startswith("vocab.")}, sort_keys=True),
        test_text=run.held_out("test", flat),
        validation_text=run.held_out("validation", flat),
        changed=tuple(key for key in changed if metrics and not key.startswith(NOT_RESULTS)),
        is_evaluated=run.is_evaluated or not metrics,
    )


def _parameters(text: str | None) -> Params:
    return keys.flatten_sections(loading.parse(text, PARAMS_FILE)) if text else {}


def _read(path: str) -> str | None:
    file = Path(path)
    return file.read_text(encoding="utf-8") if file.exists() else None


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
