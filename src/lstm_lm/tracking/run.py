"""One MLflow run: creating it, tagging it, and logging to it."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.errors import Interrupted, UserError
from lstm_lm.tracking.comparison_view import COLORS
from lstm_lm.tracking.naming import git_tags, run_name, training_params
from lstm_lm.tracking.store import experiment_id, first_line, mask_password, uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from lstm_lm.config.schema import Params, Tracking

COLOR_TAG = "mlflow.runColor"
NAME_TAG = "mlflow.runName"
TABLES_TAG = "mlflow.loggedArtifacts"  # the tables that MLflow's pages show
MAX_METRICS_PER_CALL = 1000  # the server's limit


class Run:
    """One MLflow run of the store.

    Attributes:
        client: MLflow's client, see `store.connect`.
        id: the run's id.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client = client
        self.id = run_id

    def adopt(self, settings: Params) -> None:
        """Give a run that `mlflow run` created our tags, and our name unless its user named it."""
        existing = self.client.get_run(self.id)
        color = existing.data.tags.get(COLOR_TAG) or _unused_color(self.client, existing.info.experiment_id)
        tags = {**git_tags(), COLOR_TAG: color}
        if _is_generated_name(existing.info.run_name or ""):
            tags[NAME_TAG] = run_name(settings)
        for key, value in tags.items():
            self.tag(key, value)

    def tag(self, key: str, value: str) -> None:
        """Set a tag."""
        self.client.set_tag(self.id, key, value)

    def log_params(self, values: Mapping[str, object]) -> None:
        """Log the parameters of a training, {name: value}. Those that are already logged keep their values."""
        from mlflow.entities import Param

        logged = self.client.get_run(self.id).data.params
        new = {key: value for key, value in training_params(values).items() if key not in logged}
        self.client.log_batch(self.id, params=[Param(key, str(value)) for key, value in new.items()])

    def log_metrics(self, values: Mapping[str, float | None], step: int) -> None:
        """Log metrics, {name: value}. None and NaN are left out."""
        self.send_metrics(metric_entities(values, step))

    def send_metrics(self, metrics: list[Metric]) -> None:
        """Send metrics in calls as large as the server allows, and remove from the list what has been sent."""
        while batch := metrics[:MAX_METRICS_PER_CALL]:
            self.client.log_batch(self.id, metrics=batch)
            del metrics[: len(batch)]  # another thread may have appended more meanwhile

    def log_table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], path: str) -> None:
        """Log a table that replaces the previous one of this path.

        The format is that of `mlflow.log_table`, which can only append. The table that was logged last comes first: MLflow's
        table view opens the first one, groups it by its first column and compares its second.
        """
        self.client.log_dict(self.id, {"columns": columns, "data": rows}, path)
        tables = json.loads(self.client.get_run(self.id).data.tags.get(TABLES_TAG, "[]"))
        entry = {"path": path, "type": "table"}
        if tables[:1] != [entry]:
            self.tag(TABLES_TAG, json.dumps([entry, *(table for table in tables if table != entry)]))

    def log_files(self, paths: Iterable[str | Path]) -> None:
        """Log files as artifacts of the run."""
        for path in paths:
            self.client.log_artifact(self.id, str(path))

    def flush(self) -> None:
        """Send what is queued. A plain run queues nothing."""

    def finish(self, status: str = "FINISHED") -> None:
        """End the run.

        Args:
            status: FINISHED, FAILED or KILLED.
        Raises:
            UserError: the store fails.
        """
        from mlflow.exceptions import MlflowException

        try:
            self.flush()
            self.client.set_terminated(self.id, status)
        except (MlflowException, OSError) as error:
            raise UserError(f"the tracking store fails: {first_line(error)}: run this again when the store is available") from None

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """End the run when the block ends, with a status that depends on how it ended."""
        status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except (KeyboardInterrupt, Interrupted):
            status = "KILLED"
            raise
        finally:
            self.finish(status)


def create_run(client: MlflowClient, settings: Params, tags: Mapping[str, str] | None = None) -> str:
    """Create a run in the experiment of the settings and return its id.

    Args:
        tags: additional tags; they replace our own of the same name.
    """
    experiment = experiment_id(client, settings.tracking)
    ours = {
        NAME_TAG: run_name(settings),
        "mlflow.source.name": "dvc.yaml",
        "mlflow.source.type": "LOCAL",
        COLOR_TAG: _unused_color(client, experiment),
        **git_tags(),
    }
    return str(client.create_run(experiment, tags={**ours, **(tags or {})}).info.run_id)


def mlflow_run_id() -> str | None:
    """Return the id of the run that `mlflow run` created for this process, or None."""
    return os.environ.get("MLFLOW_RUN_ID") or None


def is_known(client: MlflowClient, run_id: str, settings: Tracking) -> bool:
    """Whether the store has a run and it was not deleted.

    Raises:
        UserError: the store fails to answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            address = mask_password(uri(settings))
            raise UserError(f"the tracking store {address} could not be queried for run {run_id}: {first_line(error)}") from None
        return False


def find_run(client: MlflowClient, settings: Tracking, condition: str) -> str | None:
    """Return the id of the latest run of the experiment that meets a condition in MLflow's search syntax, or None."""
    runs = client.search_runs([experiment_id(client, settings)], condition, max_results=1)
    return str(runs[0].info.run_id) if runs else None


def metric_entities(values: Mapping[str, float | None], step: int) -> list[Metric]:
    """Turn {name: value} into MLflow's metrics, without those that are None or NaN."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in values.items() if value is not None and not math.isnan(value)]


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
