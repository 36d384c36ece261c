"""The run of a training: an observer that sends what the training reports in the background."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.events import ROW_METRICS, Observer, Row, Sample
from lstm_lm.io.addresses import mask_secrets
from lstm_lm.paths import SPLITS, project_root
from lstm_lm.tracking import datasets, operations, store
from lstm_lm.tracking.evaluation import sample_label
from lstm_lm.tracking.faults import Fault
from lstm_lm.tracking.guard import StoreError, bounded
from lstm_lm.tracking.mirroring import adoption
from lstm_lm.tracking.outbox import Outbox
from lstm_lm.tracking.queued_run import QueuedRun
from lstm_lm.tracking.run import NAME_TAG, TRAINING_TAG, create_run, find_run, is_known, mlflow_run_id, run_tags
from lstm_lm.tracking.text_source import DIGEST_LENGTH, TEXT_DIGEST, present_text
from lstm_lm.tracking.training_note import TrainingNote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

    from lstm_lm.config.schema import Params, Tracking
    from lstm_lm.data.dataset import Batches
    from lstm_lm.tracking.system_metrics import SystemMetrics

SYSTEM_METRICS = "system/"  # how their names begin, as MLflow's pages expect
PARENT_TAG = "mlflow.parentRunId"
SOURCE_TAG = "mlflow.source.name"
SAMPLE_COLUMNS = ["sample", "text", "step", "prompt", "temperature"]


class TrainingRun(QueuedRun, Observer):
    """The MLflow run of one training, which reports rows and samples to it. See `QueuedRun`."""

    def __init__(self, settings: Tracking, run_id: str, client: MlflowClient | None) -> None:
        self._samples: list[list[object]] = []  # rows of the table of samples, which is always logged whole
        self._logged_steps: dict[str, set[int]] = {}  # metric -> steps that an earlier process of this training has logged
        self._note: TrainingNote | None = None  # the runs of a search have none
        self._system_metrics: SystemMetrics | None = None
        super().__init__(settings, run_id, client)

    @classmethod
    def start(
        cls, client: MlflowClient, settings: Params, scratch_folder: str | Path | None = None, resume: str | None = None
    ) -> TrainingRun:
        """Create the run of a training, resume the one it began in, or join the one that `mlflow run` created.

        The artifact store of the run is tried too, so that nothing is trained whose results could not be kept.

        Args:
            client: see `store.connect`.
            settings: all parameters.
            scratch_folder: the training's scratch folder, which distinguishes it from all others, or None.
            resume: id of the run in which this training began, or None. It is resumed if the store knows it.
        Raises:
            StoreError: one of the stores fails.
        """
        run = bounded(lambda: cls._start(client, settings, scratch_folder, resume), store.place(settings.tracking))
        try:
            bounded(lambda: store.try_artifacts(client, client.get_run(run.id).info.artifact_uri), store.place(settings.tracking))
        except StoreError as error:
            run.problem = str(error)
            run.finish("FAILED")
            raise
        run._note = TrainingNote()
        run.set_note(run._note.text("running"))
        return run

    @classmethod
    def _start(cls, client: MlflowClient, settings: Params, scratch_folder: str | Path | None, resume: str | None) -> TrainingRun:
        fingerprint = None
        if scratch_folder is not None:
            fingerprint = hashlib.sha256(f"{socket.gethostname()}:{Path(scratch_folder).resolve()}".encode()).hexdigest()
            resume = resume or _find_orphan(client, settings, fingerprint)
        if resume and is_known(client, resume, settings.tracking):
            pending = Outbox(project_root(), resume).pending()
            names = {*ROW_METRICS, *(name for name in client.get_run(resume).data.metrics if name.startswith(SYSTEM_METRICS))}
            steps = {name: {metric.step for metric in client.get_metric_history(resume, name)} for name in names}
            for item in pending:
                for name, _, _, step in item.operation.get("points", []):
                    steps.setdefault(name, set()).add(step)
            run = cls(settings.tracking, resume, client)
            run._logged_steps = steps
            run.record(operations.status("RUNNING"))
            return run
        if created := mlflow_run_id(client, settings.tracking):
            run = cls(settings.tracking, created, client)
            run.record(adoption(settings))
            return run
        run_id = create_run(client, settings, {TRAINING_TAG: fingerprint} if fingerprint else None)
        return cls(settings.tracking, run_id, client)

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
        Returns:
            The run. While the store does not answer, a trial's has an id of its own, which is later the run's tag `lstm_lm.created_by`.
        """
        nonce = f"trial-{uuid.uuid4().hex}"
        tags = {NAME_TAG: name, SOURCE_TAG: "search", **({PARENT_TAG: parent} if parent else {})}

        def work() -> TrainingRun:
            if resume and is_known(client, resume, settings.tracking):
                client.update_run(resume, status="RUNNING", name=name)
                return cls(settings.tracking, resume, client)
            return cls(settings.tracking, create_run(client, settings, tags, nonce), client)

        try:
            return bounded(work, store.place(settings.tracking))
        except StoreError as error:
            if error.fault is not Fault.OUTAGE or not parent:
                raise
        # A trial does not wait for the store: its run is created as the first of what is sent.
        run = cls(settings.tracking, nonce, None)
        tracking = {"experiment": settings.tracking.experiment, "artifacts": settings.tracking.artifacts}
        run.record({"kind": "create", "tracking": tracking, "tags": {**run_tags(settings), **tags}})
        return run

    def log_dataset(self, batches: Batches) -> None:
        """Log each split of the text as a dataset of the run, which words of which file it has, and the digest of the text."""
        for described in datasets.describe(batches.source):
            self.record({"kind": "dataset", **described, "source": mask_secrets(described["source"])})
        self.log_params({TEXT_DIGEST: batches.text_digest[:DIGEST_LENGTH], **present_text()})
        self.log_files([SPLITS] if SPLITS.exists() else [])

    def started(self, total_steps: int, epochs: int) -> None:
        """Keep how long the training is, for the note, and start to log system metrics, unless they are switched off."""
        from lstm_lm.tracking import system_metrics

        if self._note:
            self._note.total_steps = total_steps
        if self._settings.system_metrics:
            earlier = (step for name, steps in self._logged_steps.items() if name.startswith(SYSTEM_METRICS) for step in steps)
            self._system_metrics = system_metrics.start(self.id, store.uri(self._settings), self.log_metrics, max(earlier, default=-1) + 1)

    def finish(self, status: str = "FINISHED") -> None:
        """End the run, and its system metrics if they still run, with a note on how it ended. See `QueuedRun.finish`."""
        self.close()
        if self._note:
            with contextlib.suppress(OSError):  # such as a full disk, which the status will report
                self.set_note(self._note.end_text(status, self.problem))
        super().finish(status)

    def close(self) -> None:
        """End the system metrics."""
        if self._system_metrics is not None:
            self._system_metrics.finish()

    def resumed(self, step: int, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        """Queue what had not reached the store before the training was stopped."""
        for row in rows:
            self.row(row)
        self._samples = [_sample_row(sample) for sample in samples]

    def row(self, row: Row) -> None:
        """Queue the metrics of a row, except those that are already logged for its step."""
        if self._note and (text := self._note.row(row)):
            self.set_note(text)
        values = {name: getattr(row, attribute) for name, attribute in ROW_METRICS.items()}
        self.log_metrics({name: value for name, value in values.items() if row.step not in self._logged_steps.get(name, ())}, row.step)

    def samples(self, samples: Sequence[Sample]) -> None:
        """Queue samples, and start to send."""
        self._samples += [_sample_row(sample) for sample in samples]
        self.log_table(SAMPLE_COLUMNS, self._samples, "training_samples.json")


def _find_orphan(client: MlflowClient, settings: Params, fingerprint: str) -> str | None:
    """Find the run that a process created for this training before it was killed, too early to note the run's id."""
    run_id = find_run(client, settings.tracking, f"tags.`{TRAINING_TAG}` = '{fingerprint}' and attributes.status = 'RUNNING'")
    if run_id is None:
        return None
    unsent = [item.operation for item in Outbox(project_root(), run_id).pending()]
    return None if any(operation.get("status") == "FINISHED" for operation in unsent) else run_id


def _sample_row(sample: Sample) -> list[object]:
    label = f"step {sample.step}, {sample_label(sample.prompt, sample.temperature)}"
    return [label, sample.text, sample.step, sample.prompt, sample.temperature]
