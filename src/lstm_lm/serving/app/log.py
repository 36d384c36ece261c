"""The server's log on standard output: one JSON object a line, or on a terminal short lines to read. It never holds prompts or texts.

A thread writes the lines: a terminal that was paused must not stop the server. If too many lines wait, new ones are dropped.
"""

from __future__ import annotations

import atexit
import json
import logging
import queue
import shutil
import sys
import textwrap
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any

from lstm_lm.wording import counted

NAME = "lstm_lm.server"
MAX_WAITING = 10_000  # lines
TIME_INDENT = " " * len("12:34:56  ")
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


class TerminalLines(logging.Formatter):
    """Lines for a person. What is printed elsewhere is left out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and below it the trace of an error."""
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = dict(getattr(record, FIELDS, None) or {"event": f"{record.levelname.lower()}: {record.getMessage()}"})
        write = WRITERS.get(fields["event"], _write_event)
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{_wrapped(f'{time}  {write(fields)}')}{trace}"


def _wrapped(text: str) -> str:
    """Break lines between words where the terminal ends. What is broken off starts right of the time."""
    wrapper = textwrap.TextWrapper(
        shutil.get_terminal_size().columns, subsequent_indent=TIME_INDENT, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(map(wrapper.fill, text.split("\n")))


def _write_event(fields: dict[str, Any]) -> str:
    values = (f"{name}={value}" for name, value in fields.items() if name not in ("event", "process"))
    return "  ".join([fields["event"], *values])


def _write_request(fields: dict[str, Any]) -> str:
    words = f"  {counted(fields['words'], 'word')}" if fields["words"] else ""
    return f"{fields['method']} {fields['path']}  {fields['status']}  {fields['ms']:,.0f} ms{words}"


def _write_stopping(fields: dict[str, Any]) -> str:
    requests = counted(fields["requests"], "request")
    if not fields["requests"]:
        return "Stopping"
    if not fields["seconds"]:
        return f"Stopping now: {requests} will not be complete"
    return f"Stopping: waiting up to {fields['seconds']:g} s for {requests}. Press Ctrl-C again to stop now"


WRITERS = {"request": _write_request, "stopping": _write_stopping}
SILENT_ON_TERMINALS = ("ready", "closed", "stopped")  # the command prints the first of them, and nobody needs the others


def _is_for_terminals(record: logging.LogRecord) -> bool:
    return getattr(record, FIELDS, {}).get("event") not in SILENT_ON_TERMINALS


class _Queue(QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # formatted in the thread that writes

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line: the queue is full."""


def start() -> None:
    """Send the log of the whole process to standard output."""
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(MAX_WAITING)
    output = logging.StreamHandler(sys.stdout)
    if sys.stdout.isatty():
        output.setFormatter(TerminalLines())
        output.addFilter(_is_for_terminals)
    else:
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
