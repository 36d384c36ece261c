"""Runs that show a training done in another run.

A run *mirrors* another one if `mlflow run` created it and nothing was left to train. A *proxy run* takes the place of a run that
this store does not know.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lstm_lm.config import keys
from lstm_lm.tracking.evaluation import flatten_metrics
from lstm_lm.tracking.run import TABLES_TAG, Run, create_run, find_run, is_known, mlflow_run_id
from lstm_lm.tracking.store import DESCRIPTION_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from lstm_lm.config.schema import Params

MIRRORS_TAG = "lstm_lm.mirrors"  # id of the run that did the training
PROXY_TAG = "lstm_lm.proxy_for"  # id of the run that did the training, which this store does not know


def mirror(run: Run, source_id: str, settings: Params, metrics: Mapping[str, Mapping[str, float]]) -> bool:
    """Make a run show what the run that did the training shows, and tag it with that run's id.

    Args:
        run: the run in which nothing was left to train.
        source_id: id of the run that trained the weights.
        settings: all parameters.
        metrics: held-out metrics, as in reports/metrics.json; shown if this store does not know the source.
    Returns:
        Whether this store knows the source.
    """
    run.tag(MIRRORS_TAG, source_id)
    run.adopt(settings)
    if not is_known(run.client, source_id, settings.tracking):
        run.log_params(keys.flatten(settings))
        logged = run.client.get_run(run.id).data.metrics
        run.log_metrics({name: value for name, value in flatten_metrics(metrics).items() if name not in logged}, 0)
        return False
    source = run.client.get_run(source_id)
    run.log_params(source.data.params)
    _copy_metrics(run, source_id)
    _copy_artifacts(run, source_id)
    for key in (TABLES_TAG, DESCRIPTION_TAG):
        if key in source.data.tags:
            run.tag(key, source.data.tags[key])
    return True


def _copy_metrics(run: Run, source_id: str) -> None:
    def points(run_id: str) -> list[Metric]:
        client = run.client
        return [point for name in client.get_run(run_id).data.metrics for point in client.get_metric_history(run_id, name)]

    logged = {(point.key, point.step) for point in points(run.id)}
    run.send_metrics([point for point in points(source_id) if (point.key, point.step) not in logged])


def _copy_artifacts(run: Run, source_id: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for item in run.client.list_artifacts(source_id):
            if not item.is_dir:
                run.client.log_artifact(run.id, run.client.download_artifacts(source_id, item.path, folder))


def join(client: MlflowClient, settings: Params, run_id: str) -> tuple[Run, bool]:
    """Return the run that trained the weights, or a proxy run if this store does not know it.

    The proxy is the run that `mlflow run` created, if there is one, else an earlier proxy of the same run, else a new run.

    Args:
        client: see `store.connect`.
        settings: all parameters.
        run_id: id of the run that trained the weights.
    Returns:
        (the run, whether it is a proxy).
    """
    if is_known(client, run_id, settings.tracking):
        return Run(client, run_id), False
    if created := mlflow_run_id():
        run = Run(client, created)
        run.tag(PROXY_TAG, run_id)
        run.adopt(settings)
        run.log_params(keys.flatten(settings))
        return run, True
    if proxy := find_run(client, settings.tracking, f"tags.`{PROXY_TAG}` = '{run_id}'"):
        return Run(client, proxy), True
    run = Run(client, create_run(client, settings, {PROXY_TAG: run_id}))
    run.log_params(keys.flatten(settings))
    run.finish()
    return run, True
