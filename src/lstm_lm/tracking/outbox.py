"""What a run has still to send to the tracking store, on disk in the project's folder, so that neither an outage nor a kill loses it.

`.tracking/RUN_ID/` holds `operations.jsonl`, one operation a line in the order in which they are sent; `sent`, how many lines the
store has; `files/`, the artifacts that operations name, each only as it was last; and `outbox.json`, which store it belongs to.
Appending needs no store. Sending is repeated until the store has confirmed it, so each operation must be one that can be repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lstm_lm.io import atomic

FOLDER = ".tracking"
OPERATIONS = "operations.jsonl"
SENT = "sent"
FACTS = "outbox.json"
FILES = "files"
REFUSED = "refused.jsonl"
LOCK_SECONDS = 5

Operation = dict[str, Any]


@dataclass(frozen=True)
class Pending:
    """An operation that the store has not confirmed. number: of its line, from 1."""

    number: int
    operation: Operation


class Outbox:
    """The outbox of one run.

    Args:
        root: the project's own folder.
        run_id: the run that gets it; the name of the folder.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        self.root = root
        self.run_id = run_id
        self.folder = root / FOLDER / run_id
        self._read_bytes = 0
        self._read_lines = 0
        self._unsent: list[Pending] = []
        self._reading = threading.Lock()
        self._facts: dict[str, Any] = {}
        self._using = FileLock(root / FOLDER / f"{run_id}.using", thread_local=False)

    def open(self, facts: Mapping[str, Any]) -> None:
        """Create the folder, unless an earlier process has left it, and keep other processes from removing it until `close`.

        Args:
            facts: what identifies the store.
        """
        self._facts = dict(facts)
        with contextlib.suppress(Timeout, OSError):
            self._using.acquire(timeout=0)
        with self._changing():
            self._create()

    def close(self) -> None:
        """End the use that `open` began."""
        if self._using.is_locked:
            Path(self._using.lock_file).unlink(missing_ok=True)
            self._using.release()

    def facts(self) -> dict[str, Any]:
        """Return what `open` or `note` has kept."""
        try:
            facts: dict[str, Any] = json.loads((self.folder / FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return facts

    def note(self, **facts: Any) -> None:
        """Keep more facts."""
        with self._changing():
            atomic.write_json(self.folder / FACTS, {**self.facts(), **facts})

    def append(self, operation: Mapping[str, Any], durable: bool = True) -> None:
        """Add an operation at the end.

        Args:
            operation: JSON; its `kind` is one of `operations.KINDS`.
            durable: wait until it is on the disk, so that a power cut does not lose it either.
        """
        line = json.dumps(operation, ensure_ascii=False).encode() + b"\n"
        with self._changing():
            self._create()  # another process may have removed it, because nothing was pending
            with (self.folder / OPERATIONS).open("ab+") as file:
                if file.tell() and not _ends_with_newline(file):
                    line = b"\n" + line  # a killed process has left half a line
                file.write(line)
                file.flush()
                if durable:
                    os.fsync(file.fileno())

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        """Put a file or a folder into the outbox, in place of an earlier one of this name.

        Args:
            name: of the artifact.
            write: gets the path to write.
        """
        target = self.folder / FILES / name
        partial = target.with_name(f"{target.name}.partial")
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        write(partial)
        if target.is_dir():
            _remove(target)
        partial.replace(target)

    def file(self, name: str) -> Path:
        """Return the path of a file in the outbox."""
        return self.folder / FILES / name

    def pending(self) -> list[Pending]:
        """Return what the store has not confirmed, in order. A half line that a killed process has left is no operation."""
        with self._reading:
            sent = self._sent()
            try:
                with (self.folder / OPERATIONS).open("rb") as file:
                    if file.seek(0, os.SEEK_END) < self._read_bytes:  # another process has removed it, and it began again
                        self._read_bytes = self._read_lines = 0
                        self._unsent = []
                    file.seek(self._read_bytes)
                    new = file.read()
            except FileNotFoundError:
                new = b""
            complete = new[: new.rfind(b"\n") + 1]
            for line in complete.splitlines():
                self._read_lines += 1
                with contextlib.suppress(ValueError):
                    self._unsent.append(Pending(self._read_lines, json.loads(line)))
            self._read_bytes += len(complete)
            self._unsent = [item for item in self._unsent if item.number > sent]
            return list(self._unsent)

    def acknowledge(self, number: int) -> None:
        """Keep that the store has everything up to this number."""
        partial = self.folder / f"{SENT}.partial"
        partial.write_text(f"{number}\n", encoding="utf-8")
        partial.replace(self.folder / SENT)

    def refuse(self, item: Pending, reason: str) -> None:
        """Put an operation aside that the store will never accept."""
        with (self.folder / REFUSED).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"reason": reason, **item.operation}, ensure_ascii=False) + "\n")

    def remove_if_sent(self) -> bool:
        """Remove the folder if nothing is pending and no other process adds to it, and return whether it is gone."""
        is_ours = self._using.is_locked
        with contextlib.suppress(Timeout, OSError):
            self._using.acquire(timeout=0)
        if not self._using.is_locked:
            return False  # a file may be there whose operation is not
        with self._changing():
            if is_gone := not self.pending():
                shutil.rmtree(self.folder, ignore_errors=True)
                self._read_bytes = self._read_lines = 0
        if not is_ours:
            Path(self._using.lock_file).unlink(missing_ok=True)  # before the release: afterwards it may be another process's
        self._using.release()  # once, as it was acquired
        return is_gone

    @contextlib.contextmanager
    def sending(self) -> Iterator[Callable[[], bool]]:
        """Yield a function that returns whether this process is the one that sends this outbox, until the block ends."""
        lock = FileLock(self.root / FOLDER / f"{self.run_id}.lock", thread_local=False)

        def acquire() -> bool:
            with contextlib.suppress(Timeout, OSError):
                if not lock.is_locked:
                    lock.acquire(timeout=0)
            return lock.is_locked

        try:
            yield acquire
        finally:
            if lock.is_locked and not self.folder.exists():
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        (self.root / FOLDER).mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / FOLDER / "lock")
        with contextlib.suppress(Timeout, OSError):  # it is held for milliseconds; whoever holds it longer has been stopped
            lock.acquire(timeout=LOCK_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._facts and not (self.folder / FACTS).exists():
            atomic.write_json(self.folder / FACTS, self._facts)

    def _sent(self) -> int:
        try:
            return int((self.folder / SENT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0


def outboxes(root: Path) -> list[Outbox]:
    """Return all outboxes of a project, the oldest first."""
    folders = sorted((root / FOLDER).glob("*/"), key=lambda path: path.stat().st_mtime)
    return [Outbox(root, path.name) for path in folders if (path / FACTS).exists() or (path / OPERATIONS).exists()]


def _ends_with_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
