"""Locks between processes. A lock ends with the process that holds it, however that ends."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from lstm_lm.errors import UserError


@contextlib.contextmanager
def exclusive(path: Path, busy: str, timeout: float = 0.0) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: the lock file; its folder must exist. The holder's process number is in a file of the same name with the suffix `.pid`.
        busy: the error message if another process holds the lock; `{holder}` in it becomes `process 123`.
        timeout: seconds to wait for the lock; 0: do not wait.
    Raises:
        UserError: another process holds the lock.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=timeout)
    pid_file = path.with_suffix(".pid")
    try:
        lock.acquire()
    except Timeout:
        raise UserError(busy.format(holder=_holder(pid_file))) from None
    try:
        pid_file.write_text(f"{os.getpid()}\n", encoding="utf-8")
        yield
    finally:
        pid_file.unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # while the lock is held: a process that waits for it notices that the file is gone
        lock.release()


def _holder(pid_file: Path) -> str:
    try:
        return f"process {int(pid_file.read_text(encoding='utf-8'))}"
    except (OSError, ValueError):
        return "another process"
