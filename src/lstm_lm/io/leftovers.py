"""What stopped trainings, killed stages and killed experiments left on the disk."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lstm_lm.errors import UserError
from lstm_lm.io import folders, locks
from lstm_lm.io.checkpoints import checkpoint_step
from lstm_lm.io.scratch import FOLDER, Scratch

EXPERIMENTS = Path(".dvc/tmp/exps")  # where `dvc exp run --temp` makes its copies
MIN_AGE = 60.0  # seconds: a younger copy may be of an experiment that is just starting
STAGE_OUTPUTS = ("data/raw", "data/vocab", "data/batches", "models/saved_model", "models/weights")


@dataclass(frozen=True)
class Leftover:
    """A folder that a process left.

    Attributes:
        folder: relative to the project.
        key: of a training; for other folders None.
        reason: why it is there, in words.
        run_id: the MLflow run of a training, or None.
        step: of a training's checkpoint, or None.
        size: bytes on disk.
        age: seconds since the last change.
        in_use: whether a process works with it.
    """

    folder: Path
    key: str | None
    reason: str
    run_id: str | None
    step: int | None
    size: int
    age: float
    in_use: bool


def find(root: Path) -> list[Leftover]:
    """Return what is left in a project's folder, oldest first."""
    found = [_training(folder) for folder in _folders(root / FOLDER, "*")]
    found += [_partial(folder) for name in STAGE_OUTPUTS for folder in _unfinished(root / name)]
    found += [_experiment(folder) for pattern in ("tmp*", "*/tmp*") for folder in _folders(root / EXPERIMENTS, pattern)]
    relative = [Leftover(**{**vars(leftover), "folder": leftover.folder.relative_to(root)}) for leftover in found]
    return sorted(relative, key=lambda leftover: -leftover.age)


def remove(root: Path, leftover: Leftover) -> bool:
    """Remove a folder, unless a process works with it. Returns whether it is gone."""
    folder = root / leftover.folder
    with _held(folder, leftover.key) as is_held:
        if is_held:
            shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _folders(parent: Path, pattern: str) -> list[Path]:
    return [path for path in sorted(parent.glob(pattern)) if path.is_dir() and not path.is_symlink()]


def _unfinished(output: Path) -> list[Path]:
    """The folders in which `io.folders` makes an output."""
    return _folders(output.parent, f".{output.name}-*")


def _training(folder: Path) -> Leftover:
    scratch = Scratch(folder.parent.parent, folder.name)
    step = checkpoint_step(folder)
    if scratch.read("settled") is not None:
        reason = "the last finished training, for one with more epochs"
    elif scratch.read("ended"):
        reason = "finished; not evaluated"
    elif scratch.read("diverged"):
        reason = "diverged"
    elif step is None:
        reason = "stopped before its first checkpoint"
    else:
        reason = "stopped; the same parameters, code and data resume it"
    return _leftover(folder, folder.name, reason, (scratch.read("run") or {}).get("run_id"), step)


def _partial(folder: Path) -> Leftover:
    return _leftover(folder, None, "unfinished output of a stage that was killed")


def _experiment(folder: Path) -> Leftover:
    return _leftover(folder, None, "isolated copy of an experiment that was killed")


def _leftover(folder: Path, key: str | None, reason: str, run_id: str | None = None, step: int | None = None) -> Leftover:
    size, changed = 0, folder.stat().st_mtime
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it is gone
            status = path.lstat()
            size += getattr(status, "st_blocks", 0) * 512
            changed = max(changed, status.st_mtime)
    with _held(folder, key) as is_held:
        return Leftover(folder, key, reason, run_id, step, size, max(0.0, time.time() - changed), in_use=not is_held)


@contextmanager
def _held(folder: Path, key: str | None) -> Iterator[bool]:
    """Hold a folder while the block runs. Yields whether that worked: whether no other process works with it."""
    with ExitStack() as stack:
        if key is not None:
            try:
                stack.enter_context(locks.exclusive(folder.with_suffix(".lock"), "{holder}"))
            except UserError:
                yield False
                return
            yield True
        elif folder.name.startswith("."):
            lock = folders.hold(folder)
            if lock is not None:
                stack.callback(os.close, lock)
            yield lock is not None
        else:
            yield not _has_process(folder) and time.time() - folder.stat().st_mtime > MIN_AGE


def _has_process(folder: Path) -> bool:
    """Whether a process of this user works in a folder."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(folder.resolve()):
                return True
    return False
