"""Being asked to stop: by Ctrl-C, by SIGTERM, or because the `dvc` that runs this stage is gone."""

import os
import signal
import threading
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOOK_SECONDS = 0.5  # between two looks at whether dvc is still there


class Interruption:
    """While it is entered, a signal is only noted, for a loop to end at its next safe point; a second one ends it at once.

    DVC killed with SIGKILL leaves its stage running, which would then write into folders that the next `dvc repro` owns.
    """

    def __init__(self):
        self.reason = None  # why to stop, in words, or None
        self.code = None  # the exit code that goes with it
        self._above = []
        if "DVC_STAGE" in os.environ:
            self._above = _dvc_above()
            if not self._above and os.getppid() == 1:  # it went while Python was starting
                self.reason, self.code = "dvc is gone", 1

    def __enter__(self):
        # A process that was told to ignore a signal (by nohup, or a shell's background) goes on ignoring it.
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, self._signalled)
        self._left = threading.Event()
        if self._above:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._left.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _signalled(self, number, frame):
        if self.reason is not None:
            raise KeyboardInterrupt
        self.reason, self.code = "stopped", 128 + number

    def _watch(self):
        while not self._left.wait(LOOK_SECONDS):
            if not all(map(_runs, self._above)) and self.reason is None:
                self.reason, self.code = "dvc is gone", 1


def _dvc_above():
    """The processes between this one and the dvc that started it, dvc included."""
    import psutil

    above = []
    for process in psutil.Process().parents():
        above.append(process)
        try:
            if any("dvc" in Path(part).name for part in process.cmdline()[:4]):
                return above
        except psutil.Error:
            break
    return []


def _runs(process):
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
