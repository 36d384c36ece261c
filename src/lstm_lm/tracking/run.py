"""One MLflow run: creating it, tagging it, and logging to it. Everything here talks to the store at once; see `queued_run`."""

from __future__ import annotations

import json
import math
import os
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.config import keys
from lstm_lm.errors import UserError
from lstm_lm.io.addresses import mask_secrets
from lstm_lm.tracking import committed_text
from lstm_lm.tracking.distinct_names import distinct_name
from lstm_lm.tracking.guard import guarded
from lstm_lm.tracking.naming import git_tags, run_name, source_tags, training_params
from lstm_lm.tracking.store import experiment_id, place
from lstm_lm.tracking.text_source import TEXT_DIGEST, present_digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from lstm_lm.config.schema import Params, Tracking

COLOR_TAG = "mlflow.runColor"
NAME_TAG = "mlflow.runName"
NONCE_TAG = "lstm_lm.created_by"  # names the one call that created a run, so that it is found if the answer is lost
TRAINING_TAG = "lstm_lm.training"  # identifies the training, and the checkout it belongs to, until it ends
TABLES_TAG = "mlflow.loggedArtifacts"  # the tables that MLflow's pages show
MAX_METRICS_PER_CALL = 1000  # the server's limit
MAX_PARAMS_PER_CALL = 100  # the server's limit
CREATE_TRIES = 3
CREATE_PAUSE_SECONDS = 0.5
# Runs take these in turn, because MLflow's own choice sometimes gives two runs the same color.
COLORS = ["#2272b4", "#e8590c", "#2f9e44", "#9c36b5", "#c92a2a", "#0c8599", "#846358", "#5f3dc4"]


class Run:
    """One MLflow run of the store.

    Attributes:
        client: MLflow's client, see `store.connect`.
        id: the run's id.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client = client
        self.id = run_id

    def adopt(self, name: str, tags: Mapping[str, str], recipe: Mapping[str, str] | None = None) -> None:
        """Give a run that `mlflow run` created our tags, and our name unless its user named it; `recipe` as in `create_tagged_run`."""
        existing = self.client.get_run(self.id)
        experiment = existing.info.experiment_id
        color = existing.data.tags.get(COLOR_TAG) or _unused_color(self.client, experiment)
        named = {}
        if _is_generated_name(existing.info.run_name or ""):
            named = {NAME_TAG: distinct_name(self.client, experiment, name, recipe) if recipe else name}
        self.set_tags({**tags, COLOR_TAG: color, **named})

    def set_tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        for key, value in values.items():
            self.client.set_tag(self.id, key, value)

    def end(self, status: str, time_: int | None = None, keep_nonce: bool = False) -> None:
        """End the run, and remove the tags that only an unfinished run needs: a page of tags should be readable.

        Args:
            status: FINISHED, FAILED or KILLED.
            time_: in milliseconds; None: now.
            keep_nonce: whether others know the run by that name.
        """
        self.remove_tags({TRAINING_TAG} if keep_nonce else {TRAINING_TAG, NONCE_TAG})
        self.client.set_terminated(self.id, status, time_)

    def remove_tags(self, keys: Collection[str]) -> None:
        """Remove those of the tags that the run has."""
        for key in self.client.get_run(self.id).data.tags.keys() & set(keys):
            self.client.delete_tag(self.id, key)

    def log_params(self, values: Mapping[str, object]) -> None:
        """Log the parameters of a training, {name: value}. Those that are already logged keep their values."""
        from mlflow.entities import Param

        logged = self.client.get_run(self.id).data.params
        new = [Param(key, value) for key, value in masked_params(values).items() if key not in logged]
        for start in range(0, len(new), MAX_PARAMS_PER_CALL):
            self.client.log_batch(self.id, params=new[start : start + MAX_PARAMS_PER_CALL])

    def log_metrics(self, values: Mapping[str, float | None], step: int) -> None:
        """Log metrics, {name: value}. None and NaN are left out."""
        self.send_metrics(metric_entities(values, step))

    def send_metrics(self, metrics: Sequence[Metric]) -> None:
        """Send metrics in calls as large as the server allows."""
        for start in range(0, len(metrics), MAX_METRICS_PER_CALL):
            self.client.log_batch(self.id, metrics=metrics[start : start + MAX_METRICS_PER_CALL])

    def metric_history(self, name: str) -> list[Metric]:
        """Return all points of a metric."""
        return list(self.client.get_metric_history(self.id, name))

    def log_table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], path: str) -> None:
        """Log a table that replaces the previous one of this path, in the format of `mlflow.log_table`, which can only append."""
        self.client.log_dict(self.id, {"columns": columns, "data": rows}, path)
        self.list_table(path)

    def list_table(self, path: str) -> None:
        """Put a table at the head of the run's tables.

        MLflow's table view opens the first one, groups it by its first column and compares its second.
        """
        tables = json.loads(self.client.get_run(self.id).data.tags.get(TABLES_TAG, "[]"))
        entry = {"path": path, "type": "table"}
        if tables[:1] != [entry]:
            self.set_tags({TABLES_TAG: json.dumps([entry, *(table for table in tables if table != entry)])})

    def log_files(self, paths: Iterable[str | Path]) -> None:
        """Log files as artifacts of the run."""
        for path in paths:
            self.client.log_artifact(self.id, str(path))


def masked_params(values: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters of a training as they are logged: as text, without the secrets of addresses."""
    return {key: mask_secrets(str(value)) for key, value in training_params(values).items()}


def recipe(settings: Params) -> dict[str, str]:
    """Return all that shapes the weights: the parameters of a training as they are logged, and the digest of the text that is there."""
    digest = present_digest()
    return {**masked_params(keys.flatten(settings)), **({TEXT_DIGEST: digest} if digest else {})}


def run_tags(settings: Params) -> dict[str, str]:
    """Return the tags of a new run: its name, and which code it runs."""
    return {NAME_TAG: run_name(settings), **source_tags(), **git_tags(committed_text.is_in_commit(settings))}


def create_run(client: MlflowClient, settings: Params, tags: Mapping[str, str] | None = None, nonce: str | None = None) -> str:
    """Create a run in the experiment of the settings and return its id.

    Args:
        tags: additional tags; they replace our own of the same name.
        nonce: see `create_tagged_run`.
    Raises:
        StoreError: the store fails.
    """
    is_named = tags is not None and NAME_TAG in tags
    all_tags = {**run_tags(settings), **(tags or {})}
    return create_tagged_run(client, settings.tracking, all_tags, nonce, recipe=None if is_named else recipe(settings))


def create_tagged_run(
    client: MlflowClient, settings: Tracking, tags: Mapping[str, str], nonce: str | None = None, recipe: Mapping[str, str] | None = None
) -> str:
    """Create a run with these tags and a color, and return its id. A call whose answer is lost is not repeated: its run is looked for.

    Args:
        nonce: names this creation if it may be repeated by another process; then an earlier process may have created the run already.
        recipe: what the name describes, so that no run of another recipe has it, see `distinct_name`; None: the name stays as it is.
    """
    with guarded(place(settings)):
        experiment = experiment_id(client, settings)
        unique = nonce or uuid.uuid4().hex
        condition = f"tags.`{NONCE_TAG}` = '{unique}'"
        if nonce and (created := client.search_runs([experiment], condition, max_results=1)):
            return str(created[0].info.run_id)
        tags = {COLOR_TAG: _unused_color(client, experiment), **tags, NONCE_TAG: unique}
        if recipe:
            tags[NAME_TAG] = distinct_name(client, experiment, tags[NAME_TAG], recipe)
        for attempt in range(1, CREATE_TRIES + 1):
            try:
                return str(client.create_run(experiment, tags=tags).info.run_id)
            except Exception:
                if attempt == CREATE_TRIES:
                    raise
                time.sleep(CREATE_PAUSE_SECONDS)
                if created := client.search_runs([experiment], condition, max_results=1):
                    return str(created[0].info.run_id)
    raise AssertionError


def tracking_of(client: MlflowClient, values: Mapping[str, Any]) -> Tracking:
    """The section `tracking` for the store that a client is connected to."""
    from lstm_lm.config.schema import Tracking

    return Tracking.model_construct(**{"experiment": "", "registered_model": "", "artifacts": None, **values, "uri": client.tracking_uri})


def mlflow_run_id(client: MlflowClient, settings: Tracking) -> str | None:
    """Return the id of the run that `mlflow run` created for this process, or None.

    Raises:
        UserError: MLFLOW_RUN_ID names no run that can take this training.
    """
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if not run_id:
        return None
    if not is_known(client, run_id, settings):
        raise UserError(f"MLFLOW_RUN_ID={run_id}: the tracking store has no such run: unset MLFLOW_RUN_ID, or name the store of that run")
    with guarded(place(settings)):
        status = client.get_run(run_id).info.status
    if status not in ("RUNNING", "SCHEDULED"):
        raise UserError(f"MLFLOW_RUN_ID={run_id}: this run has already ended ({status}): unset MLFLOW_RUN_ID")
    return run_id


def is_known(client: MlflowClient, run_id: str, settings: Tracking) -> bool:
    """Whether the store has a run and it was not deleted.

    Raises:
        StoreError: the store fails to answer.
    """
    from mlflow.exceptions import MlflowException

    with guarded(place(settings)):
        try:
            return bool(client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # the second: it is no run id at all
                return False
            raise


def find_run(client: MlflowClient, settings: Tracking, condition: str) -> str | None:
    """Return the id of the latest run of the experiment that meets a condition in MLflow's search syntax, or None."""
    with guarded(place(settings)):
        runs = client.search_runs([experiment_id(client, settings)], condition, max_results=1)
    return str(runs[0].info.run_id) if runs else None


def metric_entities(values: Mapping[str, float | None], step: int) -> list[Metric]:
    """Turn {name: value} into MLflow's metrics, without those that are None or NaN."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in metric_values(values).items()]


def metric_values(values: Mapping[str, float | None]) -> dict[str, float]:
    """Leave out metrics that are None or NaN."""
    return {name: float(value) for name, value in values.items() if value is not None and not math.isnan(value)}


def _unused_color(client: MlflowClient, experiment: str) -> str:
    """A color that none of the latest runs has."""
    latest: list[Any] = client.search_runs([experiment], max_results=len(COLORS) - 1)
    used = {run.data.tags.get(COLOR_TAG) for run in latest}
    return next(color for color in COLORS if color not in used)


def _is_generated_name(name: str) -> bool:
    """Whether MLflow made up this name, as it does for a run without one."""
    from mlflow.utils.name_utils import _GENERATOR_NOUNS, _GENERATOR_PREDICATES

    parts = name.split("-")
    return len(parts) == 3 and parts[0] in _GENERATOR_PREDICATES and parts[1] in _GENERATOR_NOUNS and parts[2].isdecimal()
