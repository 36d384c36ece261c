"""The kinds of operations of the outbox, and how each is sent to the store. Sent again, nothing is there twice."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_lm.errors import UserError
from lstm_lm.io import quiet
from lstm_lm.tracking import descriptions, mirroring, registry
from lstm_lm.tracking.evaluation import send_evaluation, send_settings
from lstm_lm.tracking.outbox import Operation, Outbox, Pending
from lstm_lm.tracking.registry import ModelToLog, Outcome
from lstm_lm.tracking.run import MAX_METRICS_PER_CALL, Run, create_tagged_run, tracking_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric


@dataclass
class Target:
    """The run that operations are sent to.

    Attributes:
        run: of the store. The operation `join` may replace it.
        outbox: holds the files.
        is_uncertain: whether an earlier try may have arrived although its answer did not.
    """

    run: Run
    outbox: Outbox
    is_uncertain: bool


def apply(target: Target, operation: Operation) -> Any:
    """Tell the store one operation.

    Returns:
        What the kind of operation returns.
    Raises:
        UserError: this version of the project does not know the operation.
        Exception: whatever MLflow raises, see `guard`.
    """
    values = dict(operation)
    kind = values.pop("kind")
    if kind not in KINDS:
        raise UserError(f"the outbox of run {target.outbox.run_id} holds the operation {kind!r}, which this version does not know")
    return KINDS[kind](target, **values)


def merged(pending: list[Pending]) -> list[Pending]:
    """Join metrics that follow each other into calls as large as the server allows."""
    joined: list[Pending] = []
    for item in pending:
        before = joined[-1].operation if joined else {}
        if item.operation["kind"] == before.get("kind") == "metrics":
            points = before["points"] + item.operation["points"]
            if len(points) <= MAX_METRICS_PER_CALL:
                joined[-1] = Pending(item.number, {"kind": "metrics", "points": points})
                continue
        joined.append(item)
    return joined


def metrics(values: Mapping[str, float], step: int) -> Operation:
    """Return the operation that logs metrics at a step. The time is part of it, so that a repetition is the same point."""
    now = int(time.time() * 1000)
    return {"kind": "metrics", "points": [[name, value, now, step] for name, value in values.items()]}


def status(name: str) -> Operation:
    """Return the operation that sets a run's status. A run that is RUNNING has no end."""
    return {"kind": "status", "status": name, "time": None if name == "RUNNING" else int(time.time() * 1000)}


def _tags(target: Target, values: dict[str, str]) -> None:
    target.run.set_tags(values)


def _params(target: Target, values: dict[str, str]) -> None:
    target.run.log_params(values)


def _dataset(target: Target, context: str = "training", **fields: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    target.run.client.log_inputs(target.run.id, [DatasetInput(Dataset(**fields), [InputTag("mlflow.data.context", context)])])


def _metrics(target: Target, points: list[list[Any]]) -> None:
    from mlflow.entities import Metric

    entities = [Metric(name, float(value), time_, step) for name, value, time_, step in points]
    if target.is_uncertain:
        entities = _missing(target.run, entities)
    target.run.send_metrics(entities)


def _missing(run: Run, points: list[Metric]) -> list[Metric]:
    """Leave out the points that the store has."""
    logged = {(point.key, point.step, point.timestamp) for name in {point.key for point in points} for point in run.metric_history(name)}
    return [point for point in points if (point.key, point.step, point.timestamp) not in logged]


def _evaluation(target: Target, values: dict[str, float], step: int, settings: str | None = None) -> None:
    send_evaluation(target.run, values, step)
    if settings is not None:  # an earlier version recorded them as tags
        send_settings(target.run, settings)


def _file(target: Target, name: str) -> None:
    if (path := target.outbox.file(name)).exists():
        target.run.log_files([path])


def _table(target: Target, name: str) -> None:
    if (path := target.outbox.file(name)).exists():
        target.run.log_files([path])
        target.run.list_table(name)


def _note(target: Target, text: str) -> bool:
    return descriptions.set_note(target.run.client, target.run.id, text)


def _status(target: Target, status: str, time: int | None) -> None:
    if time is None:
        target.run.client.update_run(target.run.id, status=status)
    else:
        target.run.end(status, time, keep_nonce=target.outbox.run_id != target.run.id)


def _adopt(target: Target, name: str, tags: dict[str, str], recipe: dict[str, str] | None = None) -> None:
    target.run.adopt(name, tags, recipe)


def _join(target: Target, **proxy: Any) -> str:
    target.run = mirroring.join(target.run.client, target.outbox.run_id, mirroring.Proxy(**proxy))
    target.outbox.note(target=target.run.id)
    return target.run.id


def _create(target: Target, tracking: dict[str, Any], tags: dict[str, str]) -> str:
    client = target.run.client
    target.run = Run(client, create_tagged_run(client, tracking_of(client, tracking), tags, nonce=target.outbox.run_id))
    target.outbox.note(target=target.run.id)
    return target.run.id


def _mirror(target: Target, source_id: str, params: dict[str, str], metrics: dict[str, float]) -> bool:
    return mirroring.mirror(target.run, source_id, params, metrics)


def _model(target: Target, saved_model: str, serving_code: str, serving_package: str | None = None, **facts: Any) -> Outcome:
    if "tensorflow" not in sys.modules:  # MLflow tries the model out
        with quiet.tensorflow_import():
            import tensorflow  # noqa: F401
    outbox = target.outbox
    package = None if serving_package is None else str(outbox.file(serving_package))
    model = ModelToLog(str(outbox.file(saved_model)), str(outbox.file(serving_code)), serving_package=package, **facts)
    return registry.log_model(target.run.client, target.run.id, model)


KINDS: dict[str, Callable[..., Any]] = {
    "tags": _tags,
    "params": _params,
    "dataset": _dataset,
    "metrics": _metrics,
    "evaluation": _evaluation,
    "file": _file,
    "table": _table,
    "note": _note,
    "status": _status,
    "adopt": _adopt,
    "create": _create,
    "join": _join,
    "mirror": _mirror,
    "model": _model,
}


def target_of(client: MlflowClient, outbox: Outbox) -> Target:
    """Return the run that an outbox belongs to, before its first operation."""
    return Target(Run(client, outbox.facts().get("target") or outbox.run_id), outbox, is_uncertain=True)
