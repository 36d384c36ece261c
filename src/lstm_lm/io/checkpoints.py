"""The latest checkpoint of an unfinished training, written in the background."""

import json
import time
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np

from lstm_lm.io import atomic

CHECKPOINT = "checkpoint.npz"
MAX_TIME_FRACTION = 0.01  # of the training: a checkpoint that takes long to write is saved less often


def print_line(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


class Checkpoints:
    """The latest checkpoint of a training. The file is replaced as a whole: there is always a complete one.

    Args:
        folder: of the Scratch.
        seconds: minimum time between two checkpoints.
        report: called with one line if a checkpoint cannot be written or read.
    """

    def __init__(self, folder: str | Path, seconds: float, report: Callable[[str], None] = print_line) -> None:
        self.path = Path(folder) / CHECKPOINT
        self.seconds = seconds
        self.write_seconds = 0.0  # that the last one took
        self._report = report
        self._saved_at = time.monotonic()
        self._writer = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def is_due(self) -> bool:
        """Return whether it is time for the next checkpoint."""
        waited = time.monotonic() - self._saved_at
        idle = self._writing is None or self._writing.done()
        return waited >= self.seconds and waited >= self.write_seconds / MAX_TIME_FRACTION and idle

    def save(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Start to write a checkpoint in the background.

        Args:
            arrays: by name. The caller must not change them in place afterwards.
            facts: a JSON object.
        """
        self.wait()
        self._saved_at = time.monotonic()
        self._writing = self._writer.submit(self._write, arrays, facts)

    def _write(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        start = time.monotonic()
        encoded = np.frombuffer(json.dumps(facts).encode(), np.uint8)

        def write(file: IO[bytes]) -> None:
            np.savez(file, **arrays, facts=encoded)  # type: ignore[arg-type]  # NumPy's stub takes **arrays for allow_pickle too

        atomic.replace_file(self.path, write)
        self.write_seconds = time.monotonic() - start

    def wait(self) -> None:
        """Wait until the last checkpoint is on the disk. A failure to write it is reported and does not end the training."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                writing.result()
            except (OSError, MemoryError) as error:
                reason = error.strerror if isinstance(error, OSError) else "out of memory"
                self._report(f"warning: no checkpoint could be written to {self.path.parent}: {reason}")

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return the (arrays, facts) of the latest checkpoint, or None if there is none that can be read."""
        try:
            with np.load(self.path) as saved:
                arrays = dict(saved)
            return arrays, json.loads(arrays.pop("facts").tobytes())
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            self._report(f"the checkpoint {self.path.name} cannot be read: restarting from scratch")
            return None

    def close(self) -> None:
        """Wait for the last checkpoint and end the writer."""
        self.wait()
        self._writer.shutdown()


def checkpoint_step(folder: Path) -> int | None:
    """Return the step of the checkpoint in a scratch folder, or None if there is none that can be read."""
    try:
        with np.load(folder / CHECKPOINT) as saved:
            return int(json.loads(saved["facts"].tobytes())["step"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
