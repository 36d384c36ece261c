"""The scratch folder of an unfinished training, from which the next run resumes.

`.training/KEY/` in the project's folder; KEY is a digest of everything that shapes the training, so that other parameters,
other data or other code never resume from it. When the training has ended well and DVC has recorded that, the folder shrinks to
what a training with more epochs needs: if DVC is killed in between, the next run still resumes from the last checkpoint.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lstm_lm.io import atomic, locks
from lstm_lm.io.checkpoints import CHECKPOINT

FOLDER = ".training"
KEPT = ("run.json", "training.json", "ended.json", "settled.json")  # of a settled training
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
    def lock(self) -> Iterator["Scratch"]:
        """Hold the training for this process while the block runs. Yields this object.

        Raises:
            UserError: another process holds it.
        """
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        busy = "{holder} is already running this training: wait for it to end, or stop it"
        with locks.exclusive(self._lock_file, busy, LOCK_SECONDS):
            try:
                self.folder.mkdir(exist_ok=True)
                yield self
            finally:
                with contextlib.suppress(OSError):
                    self.folder.rmdir()  # if it is empty

    def write(self, name: str, facts: dict[str, Any]) -> None:
        """Keep a few facts under a name."""
        atomic.write_json(self.folder / f"{name}.json", facts)

    def clear(self) -> None:
        """Forget all of a training, for example when it is to be done again."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the facts kept under a name, or None if there are none."""
        try:
            facts: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return facts


def all_scratch(root: str | Path) -> Iterator[Scratch]:
    """Yield the scratch folders of a project."""
    for folder in sorted((Path(root) / FOLDER).glob("*/")):
        yield Scratch(root, folder.name)


def settle_ended(root: str | Path, run_id: str) -> None:
    """Reduce the scratch folder of the training that ended well as this MLflow run to what a training with more epochs needs.

    Only that of the latest training is kept.
    """
    folders = list(all_scratch(root))
    settled = [scratch for scratch in folders if scratch.read("ended") and (scratch.read("run") or {}).get("run_id") == run_id]
    for scratch in settled:
        kept = [*KEPT, *([CHECKPOINT] if (scratch.read("ended") or {}).get("is_extendable") else [])]
        for path in scratch.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        scratch.write("settled", {})
    for scratch in folders:
        if settled and scratch.read("settled") is not None and scratch.name not in [each.name for each in settled]:
            shutil.rmtree(scratch.folder, ignore_errors=True)
