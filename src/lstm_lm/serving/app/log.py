"""The server's log: one JSON object a line on standard output. It never holds prompts or texts.

A thread writes the lines: a terminal that was paused must not stop the server. If too many lines wait, new ones are dropped.
"""

from __future__ import annotations

import atexit
import json
import logging
import queue
import sys
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any

NAME = "lstm_lm.server"
MAX_WAITING = 10_000  # lines
FIELDS = "fields"  # attribute of a log record


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values: dict[str, Any] = {"time": time, "level": record.levelname.lower()}
        fields = getattr(record, FIELDS, None)
        if fields is None:
            fields = {"logger": record.name, "message": record.getMessage()}
        values |= fields
        if record.exc_info:
            values["trace"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False).encode("utf-8", errors="replace").decode("utf-8")


class _Queue(QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # formatted in the thread that writes

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line: the queue is full."""


def start() -> None:
    """Send the log of the whole process to standard output."""
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(MAX_WAITING)
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(_JsonLines())
    listener = QueueListener(waiting, output)
    handler = _Queue(waiting)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    ours = logging.getLogger(NAME)
    ours.setLevel(logging.INFO)
    for name, level in (("uvicorn.error", logging.WARNING), ("mlflow", logging.WARNING), ("mlflow.models.utils", logging.ERROR)):
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    logging.captureWarnings(True)
    listener.start()
    _started.append(listener)
    atexit.register(stop)


_started: list[QueueListener] = []


def stop() -> None:
    """Write what still waits."""
    while _started:
        _started.pop().stop()


def event(name: str, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Log that something happened.

    Args:
        name: of the event.
        level: of `logging`.
        error: whose trace is logged.
        fields: more values of the line.
    """
    trace = (type(error), error, error.__traceback__) if error is not None else None
    logging.getLogger(NAME).log(level, name, extra={FIELDS: {"event": name, **fields}}, exc_info=trace)
