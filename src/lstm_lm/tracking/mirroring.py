"""Runs that show a training done in another run.

A run *mirrors* another one if `mlflow run` created it and nothing was left to train. A *proxy run* takes the place of a run that
this store does not know.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_lm.tracking import committed_text
from lstm_lm.tracking.naming import git_tags, run_name
from lstm_lm.tracking.run import NAME_TAG, TABLES_TAG, Run, create_tagged_run, find_run, is_known, recipe, run_tags, tracking_of
from lstm_lm.tracking.store import DESCRIPTION_TAG
from lstm_lm.ui.metric_catalog import LOGGED

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from lstm_lm.config.schema import Params

MIRRORS_TAG = "lstm_lm.mirrors"  # id of the run that did the training
PROXY_TAG = "lstm_lm.proxy_for"  # id of the run that did the training, which this store does not know


def adoption(settings: Params) -> dict[str, Any]:
    """Return the operation that makes a run of `mlflow run` ours, see `Run.adopt`."""
    tags = git_tags(committed_text.is_in_commit(settings))
    return {"kind": "adopt", "name": run_name(settings), "tags": tags, "recipe": recipe(settings)}


def mirror(run: Run, source_id: str, params: Mapping[str, object], metrics: Mapping[str, float]) -> bool:
    """Make a run show what the run that did the training shows, and tag it with that run's id.

    Args:
        run: the run in which nothing was left to train.
        source_id: id of the run that trained the weights.
        params: all parameters, flattened; shown if this store does not know the source.
        metrics: held-out metrics, flattened; likewise, those of `metric_catalog.LOGGED`.
    Returns:
        Whether this store knows the source.
    """
    run.set_tags({MIRRORS_TAG: source_id})
    if not _is_known(run.client, source_id):
        run.log_params(params)
        logged = run.client.get_run(run.id).data.metrics
        run.log_metrics({name: metrics[name] for name in LOGGED if name in metrics and name not in logged}, 0)
        return False
    source = run.client.get_run(source_id)
    run.log_params(source.data.params)
    _copy_metrics(run, source_id)
    _copy_artifacts(run, source_id)
    run.set_tags({key: source.data.tags[key] for key in (TABLES_TAG, DESCRIPTION_TAG) if key in source.data.tags})
    return True


def _copy_metrics(run: Run, source_id: str) -> None:
    def points(of: Run) -> list[Metric]:
        return [point for name in of.client.get_run(of.id).data.metrics for point in of.metric_history(name)]

    logged = {(point.key, point.step) for point in points(run)}
    run.send_metrics([point for point in points(Run(run.client, source_id)) if (point.key, point.step) not in logged])


def _copy_artifacts(run: Run, source_id: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for item in run.client.list_artifacts(source_id):
            if not item.is_dir:
                run.client.log_artifact(run.id, run.client.download_artifacts(source_id, item.path, folder))


def _is_known(client: MlflowClient, run_id: str) -> bool:
    return is_known(client, run_id, tracking_of(client, {}))


@dataclass(frozen=True)
class Proxy:
    """What a proxy run is created from, if the store does not know the run that trained the weights. It can be kept as JSON.

    Attributes:
        experiment, artifacts: of the section `tracking`.
        name: of the run.
        tags: further tags.
        params: all that shapes the weights, see `run.recipe`.
        created: id of the run that `mlflow run` has created for this process, or None.
    """

    experiment: str
    artifacts: str | None
    name: str
    tags: dict[str, str]
    params: dict[str, str]
    created: str | None

    @classmethod
    def of(cls, settings: Params, created: str | None) -> Proxy:
        """Return the proxy of these settings."""
        tracking = settings.tracking
        return cls(tracking.experiment, tracking.artifacts, run_name(settings), run_tags(settings), recipe(settings), created)


def join(client: MlflowClient, run_id: str, proxy: Proxy) -> Run:
    """Return the run that trained the weights, or a proxy run if this store does not know it.

    The proxy is the run that `mlflow run` created, if there is one, else an earlier proxy of the same run, else a new run.

    Args:
        client: see `store.connect`.
        run_id: id of the run that trained the weights.
        proxy: what to make if need be.
    """
    tracking = tracking_of(client, {"experiment": proxy.experiment, "artifacts": proxy.artifacts})
    if is_known(client, run_id, tracking):
        return Run(client, run_id)
    if proxy.created:
        run = Run(client, proxy.created)
        run.set_tags({PROXY_TAG: run_id})
        run.adopt(proxy.name, {key: value for key, value in proxy.tags.items() if key != NAME_TAG}, proxy.params)
        run.log_params(proxy.params)
        return run
    if existing := find_run(client, tracking, f"tags.`{PROXY_TAG}` = '{run_id}'"):
        return Run(client, existing)
    run = Run(client, create_tagged_run(client, tracking, {**proxy.tags, PROXY_TAG: run_id}, recipe=proxy.params))
    run.log_params(proxy.params)
    run.end("FINISHED")
    return run
