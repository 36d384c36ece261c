"""Folders that a stage makes, all or nothing."""

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replaced(folder):
    """Yield a new, empty folder beside `folder`, which takes its place when the block has ended well.

    After an error or Ctrl-C the new one is removed and `folder` is as it was. What a killed process left is removed by the
    next one.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}-"
    for left in folder.parent.glob(f"{prefix}*"):
        _remove_if_left(left)
    partial = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    # Held until the end: it tells other processes that this folder is in use.
    lock = _lock(partial)
    try:
        partial.chmod(0o755)
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_if_left(partial):
    lock = _lock(partial)
    if lock is not None:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def _lock(folder):
    """A descriptor that holds the folder's lock, or None: another process has it, or this file system knows none."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
    return None
