"""Where an unfinished training stands: a scratch folder of its own, so that the next run goes on from there.

`.training/KEY/` in the project's folder; KEY is a digest of everything that shapes the training, so that other parameters,
other data or other code never pick it up. It goes when the training has ended well and DVC has recorded that: if DVC is killed
in between, the next run goes on from the last checkpoint all the same.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lstm_lm.console import UserError

FOLDER = ".training"
MOST_SHARE = 0.01  # of the time: a checkpoint that takes long is taken less often
LOCK_SECONDS = 5  # a training whose dvc was killed needs a moment to end


def key_of(*parts):
    """A name for what these JSON values describe, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Scratch:
    """The folder of one training.

    Args:
        root: folder of the project.
        key: of `key_of`.
    """

    def __init__(self, root, key):
        self.folder = Path(root) / FOLDER / key
        self.name = f"{FOLDER}/{key}"
        self._lock_file = self.folder.with_suffix(".lock")

    @contextlib.contextmanager
    def lock(self):
        """Hold the training for this process; the lock goes with the process, however that ends.

        Raises:
            UserError: another process holds it.
        """
        from filelock import FileLock, Timeout

        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        holder = self._lock_file.with_suffix(".pid")
        lock = FileLock(self._lock_file, timeout=LOCK_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            pid = holder.read_text(encoding="utf-8").strip() if holder.exists() else "unknown"
            raise UserError(
                f"this very training is running in this checkout already (process {pid}): wait for it to end, or stop it"
            ) from None
        try:
            holder.write_text(f"{os.getpid()}\n", encoding="utf-8")
            self.folder.mkdir(exist_ok=True)
            yield
        finally:
            with contextlib.suppress(OSError):
                self.folder.rmdir()  # if it is empty
            holder.unlink(missing_ok=True)
            self._lock_file.unlink(missing_ok=True)  # while it is held; who waits for it notices that it is gone
            lock.release()

    def note(self, name, facts=None):
        """Keep a few facts under a name, or read them: a dict, or None if there are none."""
        path = self.folder / f"{name}.json"
        if facts is not None:
            _replace(path, lambda file: file.write(json.dumps(facts, indent=1).encode()))
            return facts
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None


def remove_ended(root, run_id):
    """Remove the scratch folder of the training that ended well as this MLflow run."""
    for folder in (Path(root) / FOLDER).glob("*/"):
        scratch = Scratch(root, folder.name)
        if (scratch.note("run") or {}).get("run_id") == run_id and scratch.note("ended"):
            shutil.rmtree(folder, ignore_errors=True)


class Checkpoints:
    """The latest checkpoint of a training. It is written beside and renamed: there is always a whole one.

    Args:
        folder: of the Scratch.
        seconds: least time between two; a checkpoint that costs more than 1% of that is taken less often.
    """

    def __init__(self, folder, seconds):
        self.path = Path(folder) / "checkpoint.npz"
        self.seconds = seconds
        self.cost = 0.0  # seconds that the last one took
        self._last = time.monotonic()
        self._writer = ThreadPoolExecutor(1)
        self._writing = None

    def due(self):
        """Whether it is time for the next one."""
        waited = time.monotonic() - self._last
        return waited >= self.seconds and waited >= self.cost / MOST_SHARE and (self._writing is None or self._writing.done())

    def save(self, arrays, facts):
        """Keep a state, in the background.

        Args:
            arrays: {name: array}; they are not to be changed in place.
            facts: anything that JSON can hold.
        """
        self.wait()
        self._last = time.monotonic()
        self._writing = self._writer.submit(self._write, arrays, facts)

    def _write(self, arrays, facts):
        began = time.monotonic()
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        _replace(self.path, lambda file: np.savez(file, **arrays, facts=text))
        self.cost = time.monotonic() - began

    def wait(self):
        """Until the last one is on the disk. One that cannot be written is said; it does not end a training."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                writing.result()
            except OSError as error:
                print(f"warning: no checkpoint could be written to {self.path.parent}: {error.strerror}", flush=True)

    def load(self):
        """(arrays, facts) of the latest checkpoint, or None if there is none that can be read."""
        try:
            with np.load(self.path) as saved:
                arrays = dict(saved)
            return arrays, json.loads(arrays.pop("facts").tobytes())
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            print(f"the checkpoint {self.path.name} cannot be read: the training starts from its beginning")
            return None

    def close(self):
        """Wait for the last one."""
        self.wait()
        self._writer.shutdown()


def _replace(path, write):
    """Write a file so that there is the old or the new one at any moment, also after a power cut."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
