"""What evaluate-sample adds to a training's run: held-out metrics and the final samples."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lstm_lm.tracking import store
from lstm_lm.tracking.distinct_names import FORMER_TEXT_TAG
from lstm_lm.tracking.faults import Fault
from lstm_lm.tracking.guard import StoreError, bounded
from lstm_lm.tracking.run import NONCE_TAG, TRAINING_TAG, is_known, mlflow_run_id
from lstm_lm.tracking.text_source import DIGEST_LENGTH, TEXT_DIGEST, present_text
from lstm_lm.ui import tracking_messages
from lstm_lm.ui.metric_catalog import CURVES, LOGGED
from lstm_lm.wording import counted

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import EvaluateSample, Tracking
    from lstm_lm.tracking.queued_run import QueuedRun
    from lstm_lm.tracking.run import Run

LABEL_KEYS = ("prompt", "temperature", "beam_width", "number")
SETTINGS_TAG = "evaluate_sample"  # of a run: the section of params.yaml with which it was last evaluated, as JSON
FORMER_SETTINGS_TAGS = f"{SETTINGS_TAG}."  # how the tags began that earlier versions of this project set, one for each key
FORMER_DIGEST_TAGS = {FORMER_TEXT_TAG, "data.vocab", "data.batches"}  # likewise
MAX_TAG_LENGTH = 5000  # characters, of the strictest stores


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
        metrics: {"validation": {...}, "test": {...}}, as in reports/metrics.json; `metric_catalog.LOGGED` says which of them are logged.
        step: the training's last step, even if the weights are those of an earlier one: MLflow shows the value of the largest step. Only
            metrics that are curves of the training are logged at it.
        samples: dicts with the same keys: prompt, temperature, text, and optionally beam_width and number (from 1, of several).
        settings: logged as a tag, because they may change while the training stays the same.
    """
    run.record({"kind": "evaluation", "values": flatten_metrics(metrics), "step": step, "settings": settings_json(settings)})
    if text := present_text():  # the run of an earlier version, or one that stands in for another, lacks it
        run.log_params(text)
    labels = sample_labels(samples)
    always_one = [key for key in ("beam_width", "number") if all(sample.get(key, 1) == 1 for sample in samples)]
    rows = [
        {"sample": label, "text": sample["text"], **{key: value for key, value in sample.items() if key not in always_one}}
        for label, sample in zip(labels, samples, strict=True)
    ]
    run.log_table(list(rows[0]), [list(row.values()) for row in rows], "samples.json")


def settings_json(settings: EvaluateSample) -> str:
    """Return the value of the tag `evaluate_sample`. Prompts that are too long for a tag are left out: the table of samples has them."""
    values = settings.model_dump()
    text = json.dumps(values, ensure_ascii=False)
    if len(text) <= MAX_TAG_LENGTH:
        return text
    return json.dumps({**values, "prime_texts": f"{counted(len(settings.prime_texts), 'text')}, see samples.json"}, ensure_ascii=False)


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
    """Log the metrics of `metric_catalog.LOGGED`, and those others that the run has: earlier versions of this project logged more.

    A metric is logged at step 0, so that MLflow draws it as a bar, and one of `metric_catalog.CURVES` at `step`; but never before the
    largest step that it has, whose value MLflow shows. A value that is already the latest one is left out: it would be one more point.

    Metrics of an earlier evaluation that this one no longer makes, such as those of a baseline that was switched off, become NaN, which
    MLflow shows as "NaN" and leaves out of its charts: its API cannot delete a metric.
    """
    from mlflow.entities import Metric

    sections = {name.partition("/")[0] for name in values}
    logged = run.client.get_run(run.id).data.metrics
    shown = [name for name in LOGGED if name in values] + [name for name in values if name not in LOGGED and name in logged]
    outdated = [
        name
        for name, value in logged.items()
        if name not in values and name.partition("/")[0] in sections and "/" in name and not math.isnan(value)
    ]
    now = int(time.time() * 1000)
    points = []
    for name in (*shown, *outdated):
        history = run.metric_history(name) if name in logged else []
        place = max([step if name in CURVES else 0, *(point.step for point in history)])
        value = values.get(name, math.nan)
        if not any(math.isclose(point.value, value, rel_tol=1e-6) for point in [point for point in history if point.step == place][-1:]):
            points.append(Metric(name, value, now, place))
    run.send_metrics(points)


def send_settings(run: Run, settings: str) -> None:
    """Tag the run with the settings of its evaluation. Tags that earlier versions of this project left in a finished run are removed."""
    run.set_tags({SETTINGS_TAG: settings})
    found = run.client.get_run(run.id)
    tags = found.data.tags
    if FORMER_TEXT_TAG in tags:
        run.log_params({TEXT_DIGEST: tags[FORMER_TEXT_TAG][:DIGEST_LENGTH]})
    former = FORMER_DIGEST_TAGS | {key for key in tags if key.startswith(FORMER_SETTINGS_TAGS)}
    run.remove_tags(former if found.info.status == "RUNNING" else {*former, TRAINING_TAG, NONCE_TAG})


def flatten_metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Turn {"test": {"loss": 5.0}} into {"test/loss": 5.0}, without numbers of words, which are no metrics."""
    return {f"{split}/{name}": value for split, of_split in metrics.items() for name, value in of_split.items() if name != "words"}


def sample_labels(samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Label samples as `log_evaluation` does: unique within a run, and the same for the same options in another run."""
    return [sample_label(**{name: sample[name] for name in LABEL_KEYS if name in sample}) for sample in samples]


def sample_label(prompt: str, temperature: float | None, beam_width: int = 1, number: int = 1) -> str:
    """Label a sample with how it was generated, first, because MLflow shows about 20 characters, and with its prompt.

    Args:
        prompt: the text that was continued.
        temperature: 0 for greedy decoding; ignored for beam search.
        beam_width: above 1 for beam search.
        number: which of several samples of the same options, from 1.
    """
    if beam_width > 1:
        return f"beam {beam_width}: {prompt}"
    return f"T={temperature or 0:g}{f' #{number}' if number > 1 else ''}: {prompt}"
