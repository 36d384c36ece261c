"""What MLflow's pages show of a logged model and of its versions: all of it is taken from the run that the model belongs to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lstm_lm.generation import options
from lstm_lm.wording import UNITS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, LoggedModel, Run

BITS_METRIC = "test/bits_per_character"
# Facts about the model on a text. Metrics of generated text are left out: they change with the options, and MLflow would show all values.
METRICS = (
    "test/perplexity",
    "test/adjusted_perplexity",
    BITS_METRIC,
    "test/loss",
    "test/oov_rate",
    "validation/perplexity",
    "validation/adjusted_perplexity",
    "validation/bits_per_character",
)
OPTION_PREFIX = "generation."  # of a model's params: the default of each generation option
RUN_TAGS = ("mlflow.source.name", "mlflow.source.type", "mlflow.source.git.commit")  # that its model has too: "Logged from"
CONTEXT_TAG = "mlflow.data.context"  # of a dataset in a run: the split
# Tags of a version. The table of versions shows about a dozen characters of each.
PERPLEXITY_TAG = "ppl"
NAME_TAG = "run"
SIZE_TAG = "size"
BITS_TAG = "bits/char"
NOT_IN_NAMES = str.maketrans({"/": "-", ":": " ", ".": "·", "%": " percent", '"': None, "'": None})  # MLflow refuses these
MAX_NAME = 250
UNNAMED = "model"


def name(run: Run) -> str:
    """Name a run's model after the run. A decimal point becomes a middle dot, because MLflow allows no point in a model's name."""
    words = (run.info.run_name or "").translate(NOT_IN_NAMES).split()
    return " ".join(words)[:MAX_NAME] or UNNAMED


def params(run: Run) -> dict[str, str]:
    """Return the params of a run's model: those of the training, and the defaults of the generation options."""
    return {**run.data.params, **{f"{OPTION_PREFIX}{option.name}": str(option.default) for option in options.options()}}


def tags(run: Run) -> dict[str, str]:
    """Return the tags of a run's model that say which code made it."""
    return {key: run.data.tags[key] for key in RUN_TAGS if key in run.data.tags}


def version_tags(run: Run) -> dict[str, str]:
    """Return the tags by which a person tells versions apart, the most important one first."""
    found = {NAME_TAG: run.info.run_name or ""}
    perplexity = run.data.metrics.get(METRICS[0], math.nan)
    if not math.isnan(perplexity):
        unit = run.data.params.get("vocab.unit", "word")
        found = {PERPLEXITY_TAG: f"{perplexity:.4g}" + ("" if unit == "word" else f" per {UNITS.get(unit, unit)}"), **found}
    if parameters := run.data.params.get("parameter_count"):
        found[SIZE_TAG] = short_count(int(parameters))
    bits = run.data.metrics.get(BITS_METRIC, math.nan)
    if not math.isnan(bits):
        found[BITS_TAG] = f"{bits:.3f}"
    return {key: value for key, value in found.items() if value}


def short_count(number: int) -> str:
    """Return a number with three digits: `1.86M`."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


def log_params(client: MlflowClient, model: LoggedModel, run: Run) -> None:
    """Log those params that a model lacks."""
    if missing := {key: value for key, value in params(run).items() if key not in (model.params or {})}:
        client.log_model_params(model.model_id, missing)


def log_metrics(client: MlflowClient, model_id: str, run: Run) -> None:
    """Link the latest held-out metrics of a run, and the datasets that they were measured on, to its model.

    A point that the model has is not logged again. The run keeps its points as they are: it has those that are logged here.
    """
    from mlflow.entities import Metric

    run_id = run.info.run_id
    linked = {(each.key, each.timestamp, each.step) for each in client.get_logged_model(model_id).metrics or []}
    points: list[Any] = []
    for key in METRICS:
        if math.isnan(run.data.metrics.get(key, math.nan)):
            continue
        history: list[Any] = client.get_metric_history(run_id, key)
        latest = max(history, key=lambda point: (point.step, point.timestamp))
        if (key, latest.timestamp, latest.step) in linked:
            continue
        dataset = _dataset(run, key.partition("/")[0])
        about = {} if dataset is None else {"dataset_name": dataset.name, "dataset_digest": dataset.digest}
        points.append(Metric(key, latest.value, latest.timestamp, latest.step, model_id=model_id, **about))
    if points:
        client.log_batch(run_id, metrics=points)


def _dataset(run: Run, split: str) -> Dataset | None:
    """Return the dataset of a run that is a split, or None."""
    for each in run.inputs.dataset_inputs if run.inputs else []:
        if any(tag.key == CONTEXT_TAG and tag.value.startswith(split) for tag in each.tags):
            return each.dataset
    return None
