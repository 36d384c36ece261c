"""A run whose records go through the outbox: a training never waits for the store, and never ends because of it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.errors import Interrupted, UserError
from lstm_lm.io.addresses import mask_secrets
from lstm_lm.paths import project_root
from lstm_lm.tracking import operations, sender
from lstm_lm.tracking.outbox import Outbox
from lstm_lm.tracking.run import masked_params, metric_values
from lstm_lm.tracking.sender import Delivery, Sender
from lstm_lm.ui import tracking_messages

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import Tracking
    from lstm_lm.tracking.mirroring import Proxy
    from lstm_lm.tracking.registry import ModelToLog

TEXT_FILES = (".yaml", ".json", ".md")  # artifacts that may hold an address with a password


class QueuedRun:
    """A run of the store. A thread of its own, or a later process, sends it everything in order.

    Attributes:
        id: the run's id.
        problem: why the run fails, once that is known.

    Args:
        settings: the section `tracking`.
        run_id: of a run of the store.
        client: of `store.connect`; None if the store does not answer now.
    """

    def __init__(self, settings: Tracking, run_id: str, client: MlflowClient | None) -> None:
        self.id = run_id
        self.problem = ""
        self._is_over = False
        self._settings = settings
        self._outbox = Outbox(project_root(), run_id)
        self._outbox.open({"store": sender.identity(settings)})
        self._sender = Sender(self._outbox, settings, client, tracking_messages.warn_failing)
        self._sender.start()

    def record(self, operation: Mapping[str, Any], durable: bool = True) -> None:
        """Add an operation of `operations.KINDS` to what the store is sent."""
        self._outbox.append(operation, durable)

    def set_tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        self.record({"kind": "tags", "values": dict(values)})

    def tag(self, key: str, value: str) -> None:
        """Set a tag."""
        self.set_tags({key: value})

    def log_params(self, values: Mapping[str, object]) -> None:
        """Log the parameters of a training, {name: value}. Those that are already logged keep their values."""
        self.record({"kind": "params", "values": masked_params(values)})

    def log_metrics(self, values: Mapping[str, float | None], step: int) -> None:
        """Log metrics, {name: value}. None and NaN are left out, and so is what a thread measures after the end: nobody would send it."""
        if not self._is_over and (present := metric_values(values)):
            self.record(operations.metrics(present, step), durable=False)

    def log_table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], name: str) -> None:
        """Log a table that replaces the previous one of this name."""
        text = json.dumps({"columns": columns, "data": rows}, ensure_ascii=False)
        self._outbox.put(name, lambda path: path.write_text(text, encoding="utf-8"))
        self.record({"kind": "table", "name": name})
        self._sender.send_soon()

    def log_files(self, paths: Iterable[str | Path]) -> None:
        """Log files as artifacts of the run, as they are now."""
        for path in map(Path, paths):
            self._put(path)
            self.record({"kind": "file", "name": path.name})

    def set_note(self, text: str) -> None:
        """Set the note that MLflow shows above the run's metrics, unless a user has written one. Markdown, see `ui.report.note`."""
        self.record({"kind": "note", "text": mask_secrets(text)})

    def log_model(self, model: ModelToLog) -> None:
        """Log the MLflow model, and let the registry decide about it. Its files are copied, because the next training replaces them."""
        parts = {name: Path(path) for name, path in asdict(model.sources).items() if path is not None}
        for path in parts.values():
            self._put(path)
        self.record({"kind": "model", **asdict(model), **{name: path.name for name, path in parts.items()}})

    def join(self, proxy: Proxy) -> None:
        """Let a proxy run take the place of this run if the store does not know it."""
        self.record({"kind": "join", **asdict(proxy)})

    def send_soon(self) -> None:
        """Let the thread send what there is."""
        self._sender.send_soon()

    def send(self, seconds: float = sender.END_SECONDS) -> Delivery:
        """Send everything that can be sent in this time, and warn about the rest. The thread ends: no operation may follow."""
        self._is_over = True
        delivery = self._sender.drain(seconds)
        tracking_messages.show_delivery(self.id, delivery)
        return delivery

    def result(self, kind: str) -> Any:
        """Return what the last operation of a kind returned, or None if it was not sent."""
        return self._sender.results.get(kind)

    def finish(self, status: str = "FINISHED") -> None:
        """End the run: whatever the store does, this returns.

        Args:
            status: FINISHED, FAILED or KILLED.
        """
        try:
            self.record(operations.status(status))
        except OSError as error:  # such as a full disk, which must not hide why the training ended
            tracking_messages.warn_not_kept(self.id, error.strerror or str(error))
        self.send()

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
        except UserError as error:
            self.problem = str(error)
            raise
        finally:
            self.finish(status)

    def _put(self, path: Path) -> None:
        if path.is_dir():
            self._outbox.put(path.name, lambda target: shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__")))
        elif path.suffix in TEXT_FILES:
            text = mask_secrets(path.read_text(encoding="utf-8"))
            self._outbox.put(path.name, lambda target: target.write_text(text, encoding="utf-8"))
        else:
            self._outbox.put(path.name, lambda target: shutil.copyfile(path, target))


def resend_in_background(settings: Tracking, client: MlflowClient | None) -> threading.Thread:
    """Send what earlier processes have left, while this one works. Returns the thread.

    Args:
        settings: the section `tracking`.
        client: of `store.connect`; None: the thread connects if there is anything to send.
    """

    def work() -> None:
        for left in sender.resend(settings, project_root(), client):
            tracking_messages.show_resent(left)

    thread = threading.Thread(target=work, name=sender.THREAD, daemon=True)
    thread.start()
    return thread
