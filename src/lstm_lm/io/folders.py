"""Folders that a stage makes, all or nothing."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replaced(folder: str | Path) -> Iterator[Path]:
    """Yield a new, empty folder, which replaces `folder` when the block has ended without an error.

    After an error or Ctrl-C the new folder is removed and `folder` is as it was. What a killed process leaves behind is
    removed by the next call.
    """
    folder = Path(folder)
    with temporary(folder) as partial:
        partial.chmod(0o755)
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)


@contextmanager
def temporary(folder: str | Path) -> Iterator[Path]:
    """Yield a new, empty folder next to `folder`, on the same disk, which is removed after the block.

    What a killed process leaves behind is removed by the next call for the same `folder`.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}-"
    for leftover in folder.parent.glob(f"{prefix}*"):
        _remove_if_unused(leftover)
    partial = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    lock = hold(partial)  # held until the end: other processes see that this folder is in use
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_if_unused(partial: Path) -> None:
    lock = hold(partial)
    if lock is not None:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def hold(folder: Path) -> int | None:
    """Return a descriptor that holds a lock on the folder itself, or None if another process holds it or there is no locking.

    A lock file would have to be next to the folder, where a killed process would leave it behind, too.
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
    return None
