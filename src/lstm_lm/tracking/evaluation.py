"""What evaluate-sample adds to a training's run: held-out metrics and the final samples."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lstm_lm.tracking import store
from lstm_lm.tracking.faults import Fault
from lstm_lm.tracking.guard import StoreError, bounded
from lstm_lm.tracking.run import is_known, mlflow_run_id
from lstm_lm.ui import tracking_messages

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import EvaluateSample, Tracking
    from lstm_lm.tracking.queued_run import QueuedRun
    from lstm_lm.tracking.run import Run

LABEL_KEYS = ("prompt", "temperature", "beam_width", "number")


def log_evaluation(
    run: QueuedRun,
    metrics: Mapping[str, Mapping[str, float]],
    step: int,
    samples: Sequence[Mapping[str, Any]],
    settings: EvaluateSample,
) -> None:
    """Log held-out metrics, the final samples, and how both were made. Logged again, the latest values count.

    Args:
        run: the run of the training.
        metrics: {"validation": {...}, "test": {...}}, as in reports/metrics.json.
        step: the training's last step, even if the weights are those of an earlier one: MLflow shows the value of the largest step.
        samples: dicts with the same keys: prompt, temperature, text, and optionally beam_width and number (from 1, of several).
        settings: logged as tags, because they may change while the training stays the same.
    """
    run.record({"kind": "evaluation", "values": flatten_metrics(metrics), "step": step})
    labels = sample_labels(samples)
    rows = [{"sample": label, "text": sample["text"], **sample} for label, sample in zip(labels, samples, strict=True)]
    run.log_table(list(rows[0]), [list(row.values()) for row in rows], "samples.json")
    run.set_tags({f"evaluate_sample.{key}": json.dumps(value, ensure_ascii=False) for key, value in settings.model_dump().items()})


def check_store(settings: Tracking, run_id: str) -> tuple[MlflowClient | None, str | None]:
    """Check that both stores take what an evaluation logs. A store that just does not answer now is no reason not to evaluate.

    Args:
        settings: the section `tracking`.
        run_id: of the run that trained the weights.
    Returns:
        (a client, None if the store does not answer; the run that `mlflow run` created and that is to be logged to, or None)
    Raises:
        UserError: a store cannot be used as it is.
    """
    try:
        client = store.connect(settings)
        return client, bounded(lambda: _check_run(client, settings, run_id), store.place(settings))
    except StoreError as error:
        if error.fault is not Fault.OUTAGE:
            raise
        tracking_messages.warn_unavailable(str(error))
        return None, os.environ.get("MLFLOW_RUN_ID")


def _check_run(client: MlflowClient, settings: Tracking, run_id: str) -> str | None:
    created = None
    if not is_known(client, run_id, settings):
        created = mlflow_run_id(client, settings)
        if not created:
            return None
    store.try_artifacts(client, client.get_run(created or run_id).info.artifact_uri)
    return created


def send_evaluation(run: Run, values: Mapping[str, float], step: int) -> None:
    """Log those held-out metrics whose latest value at this step is another: logged again, it would be one more point of the curve.

    Metrics of an earlier evaluation that this one no longer makes, such as those of a baseline that was switched off, become NaN, which
    MLflow shows as "NaN" and leaves out of its charts: its API cannot delete a metric.
    """
    from mlflow.entities import Metric

    splits = {name.partition("/")[0] for name in values}
    logged = run.client.get_run(run.id).data.metrics
    outdated = [
        name
        for name, value in logged.items()
        if name not in values and name.partition("/")[0] in splits and "/" in name and not math.isnan(value)
    ]
    run.log_metrics({name: value for name, value in values.items() if not _is_logged(run, name, value, step)}, step)
    now = int(time.time() * 1000)
    run.send_metrics([Metric(name, math.nan, now, step) for name in outdated])


def flatten_metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Turn {"test": {"loss": 5.0}} into {"test/loss": 5.0}, without numbers of words, which are no metrics."""
    return {f"{split}/{name}": value for split, of_split in metrics.items() for name, value in of_split.items() if name != "words"}


def sample_labels(samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Label samples as `log_evaluation` does: unique within a run, and the same for the same options in another run."""
    return [sample_label(**{name: sample[name] for name in LABEL_KEYS if name in sample}) for sample in samples]


def sample_label(prompt: str, temperature: float | None, beam_width: int = 1, number: int = 1) -> str:
    """Label a sample with its prompt and how it was generated.

    Args:
        prompt: the text that was continued.
        temperature: 0 for greedy decoding; ignored for beam search.
        beam_width: above 1 for beam search.
        number: which of several samples of the same options, from 1.
    """
    if beam_width > 1:
        return f"{prompt} (beam {beam_width})"
    if not temperature:
        return f"{prompt} (greedy)"
    return f"{prompt} (T={temperature:g}{f', {number}' if number > 1 else ''})"


def _is_logged(run: Run, name: str, value: float, step: int) -> bool:
    """Whether this is already the latest value at this step: logged again, it would be one more point of the curve."""
    logged = [metric.value for metric in run.metric_history(name) if metric.step == step]
    return bool(logged) and math.isclose(logged[-1], value, rel_tol=1e-6)
