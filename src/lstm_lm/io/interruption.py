"""Requests to stop: Ctrl-C, SIGTERM, a closed terminal or pipe, or the end of the `dvc` that runs this stage."""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from lstm_lm.io import output

if TYPE_CHECKING:
    from psutil import Process

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_SECONDS = 0.5  # between two checks of whether dvc still runs


class Interruption:
    """A context manager that records a request to stop, for a loop to end at its next safe point. A second signal ends it at once.

    A second SIGHUP does not, neither here nor while the process then ends: a terminal that is closed sends it more than once, as the
    shell and the system both do.

    DVC killed with SIGKILL leaves its stage running, which would then write into folders that the next `dvc repro` owns.

    Attributes:
        reason: why to stop, in words, or None.
        code: the exit code that goes with the reason, or None.
    """

    _entered = 0  # how many there are in this process

    def __init__(self) -> None:
        self.reason: str | None = None
        self.code: int | None = None
        self._ancestors: list[Process] = []
        if "DVC_STAGE" in os.environ:
            self._ancestors = _ancestors_up_to_dvc()
            if not self._ancestors and os.getppid() == 1:  # dvc ended while Python was starting
                self.reason, self.code = "dvc is gone", 1

    def __enter__(self) -> "Interruption":
        # A process that ignores a signal (because of nohup, or a shell's background) continues to ignore it.
        self._old_handlers = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._old_handlers.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, self._handle_signal)
        output.on_failure(self._output_failed)
        self._exited = threading.Event()
        Interruption._entered += 1
        if self._ancestors:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, error: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self._exited.set()
        Interruption._entered -= 1
        output.forget(self._output_failed)
        for number, handler in self._old_handlers.items():
            is_taken = number == signal.SIGHUP and self.reason is not None and callable(handler)
            signal.signal(number, ignore if is_taken else handler)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        if self.reason is None:
            self.reason, self.code = "stopped", 128 + number
        elif number != signal.SIGHUP:
            raise KeyboardInterrupt

    def _output_failed(self, error: OSError) -> None:
        if self.reason is None:
            self.reason, self.code = f"stopped (standard output: {error.strerror})", output.terminated(error).code

    def _watch(self) -> None:
        while not self._exited.wait(POLL_SECONDS):
            if not all(map(_is_running, self._ancestors)) and self.reason is None:
                self.reason, self.code = "dvc is gone", 1


def ignore(number: int, frame: FrameType | None) -> None:
    """A handler that does nothing. Processes started later do not inherit it, as they do `SIG_IGN`."""


def end_with_dvc() -> None:
    """End this process when the dvc that runs it as a stage is gone, except in an `Interruption`, which ends at a safe point.

    A stage that outlives its dvc would log and write at the same time as the same stage of the next `dvc repro`.
    """
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_with_dvc, daemon=True).start()


def _end_with_dvc() -> None:
    ancestors = _ancestors_up_to_dvc()
    while all(map(_is_running, ancestors)) if ancestors else os.getppid() != 1:
        time.sleep(POLL_SECONDS)
    while Interruption._entered:
        time.sleep(POLL_SECONDS)
    os._exit(1)


def _ancestors_up_to_dvc() -> "list[Process]":
    """Return the processes between this one and the dvc that started it, dvc included; none if no ancestor is dvc."""
    import psutil

    ancestors = []
    for process in psutil.Process().parents():
        ancestors.append(process)
        try:
            if any("dvc" in Path(part).name for part in process.cmdline()[:4]):
                return ancestors
        except psutil.Error:
            break
    return []


def _is_running(process: "Process") -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
