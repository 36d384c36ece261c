"""Sending outboxes: a thread of its own for each run that is being recorded, and everything that earlier processes have left.

What a process has still to send never keeps it from ending for longer than `END_SECONDS`, and `MODEL_SECONDS` with a model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.errors import UserError
from lstm_lm.io.addresses import mask
from lstm_lm.tracking import CALL_SECONDS, operations, store
from lstm_lm.tracking.faults import Fault
from lstm_lm.tracking.guard import StoreError, guarded
from lstm_lm.tracking.outbox import Outbox, outboxes

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import Tracking

SEND_SECONDS = 5.0  # between two sendings
END_SECONDS = 30.0  # how long the end of a process waits until everything is sent
MODEL_SECONDS = 120.0  # the same if the MLflow model is to be sent: MLflow copies it, and tries it out
LAST_TRIES = 3  # at the end, of a store that fails at once
LAST_PAUSE_SECONDS = 1.0
THREAD = "tracking-sender"


@dataclass
class Delivery:
    """What became of an outbox.

    Attributes:
        sent: operations that the store has confirmed.
        pending: operations that it has not.
        reason: why not, or None.
        refused: reasons for those that it will never accept.
    """

    sent: int = 0
    pending: int = 0
    reason: str | None = None
    refused: tuple[str, ...] = ()


def identity(settings: Tracking) -> str:
    """Return which store the settings name: without secrets, and the same after the project's folder was moved."""
    from lstm_lm.paths import project_root

    return mask(store.uri(settings)).replace(project_root().as_posix(), ".").replace(store.sqlite_uri(project_root())[10:], ".")


class Sender:
    """A thread that sends an outbox while its process appends to it.

    Args:
        outbox: of a run.
        settings: the section `tracking`.
        client: of `store.connect`; None: the thread connects, as soon as the store answers.
        warn: gets a line when the store begins to fail.
    """

    def __init__(self, outbox: Outbox, settings: Tracking, client: MlflowClient | None, warn: Callable[[str], None]) -> None:
        self.outbox, self.settings, self._client, self._warn = outbox, settings, client, warn
        self.results: dict[str, Any] = {}  # what the last operation of each kind has returned
        self.delivery = Delivery()
        self._target: operations.Target | None = None
        self._wake, self._stopping, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name=THREAD, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        if not self._thread.is_alive():
            self._thread.start()

    def send_soon(self) -> None:
        """Send what is there without waiting for the next time."""
        self._wake.set()

    def drain(self, seconds: float) -> Delivery:
        """Wait until everything is sent, or the store has failed again, or the time is over. The thread ends."""
        self._stopping.set()
        self._wake.set()
        self._ended.wait(seconds)
        pending = self.outbox.pending()
        if not pending:
            self.outbox.remove_if_sent()
        self.outbox.close()
        self.delivery.pending = len(pending)
        if pending and self.delivery.reason is None:
            self.delivery.reason = f"not done within {seconds:g} s"
        return self.delivery

    def _loop(self) -> None:
        with self.outbox.sending() as is_ours:
            tries = 0
            is_ours()
            while tries < LAST_TRIES:
                self._wake.wait(LAST_PAUSE_SECONDS if tries else SEND_SECONDS)
                self._wake.clear()
                is_last, began = self._stopping.is_set(), time.monotonic()
                if is_ours():
                    self._send()
                else:
                    self.delivery.reason = "another process is sending it"
                if is_last:
                    is_over = self.delivery.reason is None or time.monotonic() - began > CALL_SECONDS / 2
                    tries = LAST_TRIES if is_over else tries + 1
        self._ended.set()

    def _send(self) -> None:
        """Send what is pending, and report a store that begins to fail."""
        was_failing = self.delivery.reason
        try:
            if self._target is None:
                self._client = self._client or store.connect(self.settings)
                self._target = operations.target_of(self._client, self.outbox)
            send(self._target, self.settings, self.delivery, self.results)
            self.delivery.reason = None
        except UserError as error:
            self.delivery.reason = error.reason if isinstance(error, StoreError) else str(error)
            if not was_failing and not self._stopping.is_set():
                self._warn(self.delivery.reason)
        except Exception as error:  # a bug in here must not end a training
            self.delivery.reason = f"{type(error).__name__}: {error}"


def send(target: operations.Target, settings: Tracking, delivery: Delivery, results: dict[str, Any]) -> None:
    """Send what an outbox has pending, in order.

    Args:
        target: of the outbox. Once it has failed, it is uncertain.
        settings: the section `tracking`.
        delivery: is kept up to date.
        results: likewise: what the last operation of each kind has returned.
    Raises:
        StoreError: the store fails. What was sent before is acknowledged.
    """
    outbox = target.outbox
    while pending := outbox.pending():
        before = pending[0].number - 1
        for item in operations.merged(pending):
            try:
                with guarded(store.place(settings)):
                    results[item.operation["kind"]] = operations.apply(target, item.operation)
                target.is_uncertain = False
            except StoreError as error:
                target.is_uncertain = True
                if error.fault is not Fault.REFUSED:
                    raise
                outbox.refuse(item, error.reason)
                delivery.refused += (f"{item.operation['kind']}: {error.reason}",)
            outbox.acknowledge(item.number)
            delivery.sent += item.number - before
            before = item.number


@dataclass(frozen=True)
class Left:
    """An outbox that an earlier process has left, and what became of it."""

    run_id: str
    store: str
    delivery: Delivery


def resend(settings: Tracking, root: Path, client: MlflowClient | None = None) -> Iterator[Left]:
    """Send what earlier processes have left, one outbox after the other.

    Args:
        settings: the section `tracking`.
        root: the project's own folder.
        client: of `store.connect`; None: connect if there is anything to send.
    """
    is_out = False
    for outbox in outboxes(root):
        with outbox.sending() as is_ours:
            if not is_ours():
                continue  # the process that holds it sends it
            delivery = Delivery(pending=len(outbox.pending()))
            belongs_to = outbox.facts().get("store", identity(settings))
            if belongs_to != identity(settings):
                delivery.reason = "it belongs to another store: name that one in MLFLOW_TRACKING_URI"
                yield Left(outbox.run_id, belongs_to, delivery)
                continue
            try:
                client = client or store.connect(settings)
                send(operations.target_of(client, outbox), settings, delivery, {})
            except UserError as error:
                delivery.reason = error.reason if isinstance(error, StoreError) else str(error)
                is_out = client is None or (isinstance(error, StoreError) and error.fault is Fault.OUTAGE)
            delivery.pending = len(outbox.pending())
            if not delivery.pending:
                outbox.remove_if_sent()
            if delivery.sent or delivery.pending:
                yield Left(outbox.run_id, belongs_to, delivery)
            if is_out:
                return  # the store does not answer: the others would wait for it too
