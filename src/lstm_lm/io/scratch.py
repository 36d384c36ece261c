"""The scratch folder of an unfinished training, from which the next run resumes.

`.training/KEY/` in the project's folder; KEY is a digest of everything that shapes the training, so that other parameters,
other data or other code never resume from it. The folder is removed when the training has ended well and DVC has recorded
that: if DVC is killed in between, the next run still resumes from the last checkpoint.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lstm_lm.io import atomic, locks

FOLDER = ".training"
LOCK_SECONDS = 5  # a training whose dvc was killed needs a moment to end


class Scratch:
    """The folder of one training.

    Args:
        root: folder of the project.
        key: digest of everything that shapes the training.
    """

    def __init__(self, root: str | Path, key: str) -> None:
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

    def write(self, name: str, facts: dict[str, Any]) -> None:
        """Keep a few facts under a name."""
        atomic.write_json(self.folder / f"{name}.json", facts)

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the facts kept under a name, or None if there are none."""
        try:
            facts: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return facts


def remove_ended(root: str | Path, run_id: str) -> None:
    """Remove the scratch folder of the training that ended well as this MLflow run."""
    for folder in (Path(root) / FOLDER).glob("*/"):
        scratch = Scratch(root, folder.name)
        if (scratch.read("run") or {}).get("run_id") == run_id and scratch.read("ended"):
            shutil.rmtree(folder, ignore_errors=True)
