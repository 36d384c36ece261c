"""The standard streams: any text on a terminal of any encoding, and a reader that goes away."""

import errno
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lstm_lm.errors import Terminated

BROKEN_PIPE = 141  # exit code of a program that SIGPIPE ends: 128 + 13

Handler = Callable[[OSError], None]

_handlers: list[Handler] = []
_failure: list[OSError] = []


class _Stream(io.TextIOWrapper):
    """A standard stream. After a failure, what is printed is dropped, so that cleaning up never fails for the same reason again."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        if self.fileno() != 1:  # a failure of standard error cannot be shown
            return
        _failure.append(error)
        if _handlers:
            _handlers[-1](error)
        elif threading.current_thread() is threading.main_thread():
            raise terminated(error)


def prepare() -> None:
    """Make the standard streams take any text, and open those that are closed on the null device.

    Characters that the terminal's encoding lacks are printed as `\\xe9`. Each line is printed at once: the output of a stage is
    read live through pipes too (CI logs).
    """
    # A file that gets a closed stream's number would receive what C libraries print.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 (for the whole process)
    # Streams that were replaced, as pytest does, are left alone.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _wrapped(sys.stdout, 1)
        if sys.stdout.encoding.lower() != "utf-8":  # for DVC and MLflow
            os.environ["PYTHONIOENCODING"] = f"{sys.stdout.encoding}:backslashreplace"
    if sys.stderr is sys.__stderr__:
        sys.stderr = _wrapped(sys.stderr, 2)


def _wrapped(stream: Any, descriptor: int) -> _Stream:
    """Return a text stream with the encoding of another one, or UTF-8 if that is None."""
    if stream is not None:
        stream.flush()
    encoding = stream.encoding if stream is not None else "utf-8"
    buffer = io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=False))
    return _Stream(buffer, encoding=encoding, errors="backslashreplace", line_buffering=True)


def on_failure(handler: Handler) -> None:
    """Call a function, instead of ending the process, when standard output fails, until `forget` is called."""
    _handlers.append(handler)


def forget(handler: Handler) -> None:
    """End what `on_failure` began."""
    _handlers.remove(handler)


def failure() -> OSError | None:
    """Return why standard output failed, or None."""
    return _failure[0] if _failure else None


def terminated(error: OSError) -> Terminated:
    """Return what ends the process after a failure of standard output: silently if its reader has gone, as SIGPIPE does."""
    if error.errno == errno.EPIPE:
        return Terminated("", BROKEN_PIPE)
    return Terminated(f"error: standard output: {error.strerror}", 1)
