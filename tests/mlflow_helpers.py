"""Settings and rows to log, and functions that read what a run has logged."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.config.schema import Params
from lstm_lm.data import dataset
from lstm_lm.events import Row
from lstm_lm.tracking import store
from lstm_lm.tracking.queued_run import QueuedRun
from lstm_lm.tracking.run import Run
from lstm_lm.tracking.versions import RUN_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS: Params = loading.load(PROJECT / "params.yaml")
UNKNOWN_RUN = "0" * 32
ROW = Row(step=10, words_seen=1120, epoch=1, loss=6.5, learning_rate=0.003, gradient_norm=0.4, words_per_second=8123.4)
HELD_OUT_METRICS = {
    split: {"loss": 5.0, "perplexity": 148.4, "oov_rate": 0.1, "adjusted_perplexity": 300.0, "bits_per_character": 1.7, "words": 9}
    for split in dataset.HELD_OUT
}
SAMPLES: list[dict[str, Any]] = [{"prompt": "to be", "temperature": 0, "text": "to be king"}]


def stored(run: QueuedRun) -> Run:
    """Return the run as the store has it."""
    return Run(store.connect(SETTINGS.tracking), run.id)


def latest_metrics(run: Run) -> dict[str, tuple[int, float]]:
    """Return the last point of each metric: {metric: (step, value)}."""
    return {
        point.key: (point.step, point.value)
        for key in run.client.get_run(run.id).data.metrics
        for point in run.client.get_metric_history(run.id, key)[-1:]
    }


def logged_steps(run: Run, metric: str) -> list[int]:
    """Return the steps at which a metric was logged, in order."""
    return [point.step for point in run.client.get_metric_history(run.id, metric)]


def artifact_text(run: Run, path: str) -> str:
    """Return the text of an artifact."""
    import mlflow

    return str(mlflow.artifacts.load_text(f"{run.client.get_run(run.id).info.artifact_uri}/{path}"))


def log_small_model(client: "MlflowClient", tags: Mapping[str, str]) -> str:
    """Log two short texts in the place of an MLflow model's files, and return the id of the logged model."""
    run = client.get_run(tags[RUN_TAG])
    model = client.create_logged_model(run.info.experiment_id, "model", source_run_id=run.info.run_id, tags=dict(tags))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("MLmodel", "artifacts/saved_model/saved_model.pb"):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


@contextmanager
def before_the_next_insertion(other: Callable[[], object]) -> Iterator[list[object]]:
    """Call a function just before a session of SQLAlchemy, which has read what it needs, writes for the first time."""
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    called: list[object] = []

    def hook(*_: object) -> None:
        if not called:
            called.append(None)
            other()

    event.listen(Session, "before_flush", hook)
    try:
        yield called
    finally:
        event.remove(Session, "before_flush", hook)
