"""The run of a training: an observer that sends what the training reports in the background."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.events import Observer, Row, Sample
from lstm_lm.io.hashing import digest
from lstm_lm.tracking.evaluation import sample_label
from lstm_lm.tracking.run import Run, create_run, find_run, is_known, metric_entities, mlflow_run_id
from lstm_lm.tracking.store import first_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from lstm_lm.config.schema import Params
    from lstm_lm.data.dataset import Batches

SEND_SECONDS = 5  # between two batches of metrics
METRICS = {  # name of a metric -> attribute of events.Row
    "train/loss": "loss",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/words_per_second": "words_per_second",
    "train/words_seen": "words_seen",
    "validation/loss": "validation_loss",
    "validation/perplexity": "validation_perplexity",
}
TRAINING_TAG = "lstm_lm.training"  # identifies the training, and the checkout it belongs to
SAMPLE_COLUMNS = ["sample", "text", "step", "prompt", "temperature"]


class TrainingRun(Run, Observer):
    """The MLflow run of one training.

    Rows and samples are queued, and sent by a thread of their own, so that the training never waits for the store. A store that
    fails for a while does not end the training: everything stays queued until it is sent, at the latest by `finish`.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        super().__init__(client, run_id)
        self._queued_metrics: list[Metric] = []
        self._samples: list[list[object]] = []  # rows of the table of samples, which is always logged whole
        self._sent_samples = 0
        self._sent_at = time.monotonic()
        self._sender = ThreadPoolExecutor(1)
        self._sending: Future[None] | None = None
        self._logged_steps: dict[str, set[int]] = {}  # metric -> steps that an earlier process of this training has logged

    @classmethod
    def start(
        cls, client: MlflowClient, settings: Params, scratch_folder: str | Path | None = None, resume: str | None = None
    ) -> TrainingRun:
        """Create the run of a training, resume the one it began in, or join the one that `mlflow run` created.

        Args:
            client: see `store.connect`.
            settings: all parameters.
            scratch_folder: the training's scratch folder, which distinguishes it from all others, or None.
            resume: id of the run in which this training began, or None. It is resumed if the store knows it.
        """
        fingerprint = None
        if scratch_folder is not None:
            fingerprint = hashlib.sha256(f"{socket.gethostname()}:{Path(scratch_folder).resolve()}".encode()).hexdigest()
            resume = resume or _find_orphan(client, settings, fingerprint)
        if resume and is_known(client, resume, settings.tracking):
            run = cls(client, resume)
            client.update_run(resume, status="RUNNING")
            run._logged_steps = {name: {metric.step for metric in client.get_metric_history(resume, name)} for name in METRICS}
            return run
        if created := mlflow_run_id():
            run = cls(client, created)
            run.adopt(settings)
            return run
        return cls(client, create_run(client, settings, {TRAINING_TAG: fingerprint} if fingerprint else None))

    @classmethod
    def start_search(
        cls, client: MlflowClient, settings: Params, name: str, parent: str | None = None, resume: str | None = None
    ) -> TrainingRun:
        """Create or resume the run of a search, or create that of one of its trials.

        Args:
            client: see `store.connect`.
            settings: all parameters; `tracking.experiment` is the search's.
            name: name of the run.
            parent: id of the search's run, if this is a trial.
            resume: id of the run in which this search began, or None. It is resumed if the store knows it.
        """
        if resume and is_known(client, resume, settings.tracking):
            client.update_run(resume, status="RUNNING", name=name)
            return cls(client, resume)
        tags = {"mlflow.runName": name}
        if parent:
            tags["mlflow.parentRunId"] = parent
        return cls(client, create_run(client, settings, tags))

    def log_dataset(self, batches: Batches) -> None:
        """Log the training data as the run's dataset, and the digests of what the data stages made as tags."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        digests = {"raw": batches.text_digest, "vocab": digest("data/vocab"), "batches": digest("data/batches")}
        profile = {
            "recipe": batches.recipe,
            "train_words": int(batches.train.size),
            "vocabulary_size": batches.vocabulary_size,
            **{f"{name}_words": held_out.scored_words for name, held_out in batches.held_out.items()},
        }
        schema = {"mlflow_colspec": [{"type": "integer", "name": "word_id", "required": True}]}
        dataset = Dataset(
            name="data/batches",
            digest=digests["batches"][:36],  # MLflow's limit
            source_type="lstm_lm.download",
            source=json.dumps(batches.source),
            schema=json.dumps(schema),
            profile=json.dumps(profile),
        )
        self.client.log_inputs(self.id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        for name, value in digests.items():
            self.tag(f"data.{name}", value)

    def resumed(self, step: int, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        """Queue what had not reached the store before the training was stopped."""
        for row in rows:
            self.row(row)
        self._samples = [_sample_row(sample) for sample in samples]

    def row(self, row: Row) -> None:
        """Queue the metrics of a row, except those that are already logged for its step."""
        values = {name: getattr(row, attribute) for name, attribute in METRICS.items()}
        self.log_metrics({name: value for name, value in values.items() if row.step not in self._logged_steps.get(name, ())}, row.step)
        if time.monotonic() - self._sent_at > SEND_SECONDS:
            self._send_in_background()

    def samples(self, samples: Sequence[Sample]) -> None:
        """Queue samples, and start to send."""
        self._samples += [_sample_row(sample) for sample in samples]
        self._send_in_background()

    def log_metrics(self, values: Mapping[str, float | None], step: int) -> None:
        """Queue metrics, {name: value}; they are sent with those of the rows. None and NaN are left out."""
        self._queued_metrics += metric_entities(values, step)

    def flush(self) -> None:
        """Send all that is queued."""
        self.send_metrics(self._queued_metrics)
        if (count := len(self._samples)) > self._sent_samples:
            self.log_table(SAMPLE_COLUMNS, self._samples[:count], "training_samples.json")
            self._sent_samples = count
        self._sent_at = time.monotonic()

    def finish(self, status: str = "FINISHED") -> None:
        """Send all that is queued and end the run, see `Run.finish`."""
        if self._sending is not None:
            self._sending.result()
        super().finish(status)

    def _send_in_background(self) -> None:
        """Start to send what is queued, unless the thread is still sending: then it waits for the next call, or for `finish`."""
        if self._sending is None or self._sending.done():
            self._sending = self._sender.submit(self._try_to_flush)

    def _try_to_flush(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.flush()
        except (MlflowException, OSError) as error:
            self._sent_at = time.monotonic()
            print(f"warning: the tracking store fails: {first_line(error)}: pending metrics and samples will be sent later", flush=True)


def _find_orphan(client: MlflowClient, settings: Params, fingerprint: str) -> str | None:
    """Find the run that a process created for this training before it was killed, too early to note the run's id."""
    return find_run(client, settings.tracking, f"tags.`{TRAINING_TAG}` = '{fingerprint}' and attributes.status = 'RUNNING'")


def _sample_row(sample: Sample) -> list[object]:
    label = f"step {sample.step}: {sample_label(sample.prompt, sample.temperature)}"
    return [label, sample.text, sample.step, sample.prompt, sample.temperature]
