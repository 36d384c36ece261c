"""The scratch folder of an unfinished training: its name, its lock and its notes."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from lstm_lm.io import atomic, locks

FOLDER = ".training"


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
    def lock(self) -> Iterator[None]:
        """Hold the training for this process while the block runs.

        Raises:
            UserError: another process holds it.
        """
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        busy = "{holder} is already running this training: wait for it to end, or stop it"
        with locks.exclusive(self._lock_file, busy, LOCK_SECONDS):
            try:
                self.folder.mkdir(exist_ok=True)
                yield
            finally:
                with contextlib.suppress(OSError):
                    self.folder.rmdir()  # if it is empty

    def note(self, name, facts=None):
        """Keep a few facts under a name, or read them: a dict, or None if there are none."""
        path = self.folder / f"{name}.json"
        if facts is not None:
            atomic.replace_file(path, lambda file: file.write(json.dumps(facts, indent=1).encode()))
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
