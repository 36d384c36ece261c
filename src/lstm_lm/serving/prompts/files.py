"""Files of logged prompts: JSON Lines in one folder, of limited size, written by several processes at once and read by `drift`."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from lstm_lm.errors import UserError

PATTERN = "prompts-*.jsonl"
FILES = 10  # into which the limit is divided: the oldest one is removed when there is no room
FOLDER_MODE, FILE_MODE = 0o700, 0o600  # only the owner may read prompts
RETRY_SECONDS = 5.0  # after a failure: a full disk is not asked again for every request


@dataclass(frozen=True)
class LoggedPrompt:
    """A line of a file.

    Attributes:
        time: in UTC, ISO 8601.
        request_id: a request may have several prompts.
        model: id under which it was served.
        fingerprint: of its weights.
        prompt: the text as it was sent.
        words: number of its tokens.
        unknown: the different ones that the model does not know.
    """

    time: str
    request_id: str
    model: str
    fingerprint: str
    prompt: str
    words: int
    unknown: tuple[str, ...]

    def encode(self) -> bytes:
        """Return the line."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="replace") + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> LoggedPrompt:
        """Parse a line.

        Raises:
            ValueError: it is not one of these, or incomplete.
        """
        values = json.loads(line)
        if not isinstance(values, dict) or any(not isinstance(values.get(name), str) for name in ("time", "prompt")):
            raise ValueError("no logged prompt")
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**{"request_id": "", "model": "", "fingerprint": "", "words": 0, **known, "unknown": tuple(values.get("unknown", ()))})


def prepare(folder: Path) -> None:
    """Make the folder, readable by this user only, and check that files can be made in it.

    Raises:
        UserError: they cannot.
    """
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        trial = folder / f".{os.getpid()}"
        trial.touch(FILE_MODE)
        trial.unlink()
    except OSError as error:
        raise UserError(f"--log-prompts {folder}: {os.strerror(error.errno or 0)}: choose another folder") from None


class PromptWriter:
    """Appends to a file of this process, begins a new one when it is full, and removes the oldest ones of the folder. For one thread.

    Attributes:
        written: number of lines so far.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Take the folder.

        Args:
            folder: that `prepare` made.
            max_bytes: of all files in it. While several processes write at once, each of them may exceed it by a `FILES`th.
        """
        self.folder, self.max_bytes = folder, max_bytes
        self.file_bytes = max(1, max_bytes // FILES)
        self.written = 0
        self._descriptor: int | None = None
        self._path = folder
        self._size = 0
        self._failure: OSError | None = None
        self._retry_at = 0.0

    def write(self, lines: Sequence[bytes]) -> None:
        """Append lines, each in one piece.

        Raises:
            OSError: they cannot be written, or not all: see `written`. Calls in the next `RETRY_SECONDS` raise it again, later ones try
                again with a new file.
        """
        if self._failure is not None and time.monotonic() < self._retry_at:
            raise self._failure.with_traceback(None)
        try:
            for line in lines:
                if self._needs_file(len(line)):
                    self._begin_file()
                assert self._descriptor is not None
                if os.write(self._descriptor, line) < len(line):  # as good as full
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self._size += len(line)
                self.written += 1
        except OSError as error:
            self._give_up()
            self._failure, self._retry_at = error, time.monotonic() + RETRY_SECONDS
            raise
        self._failure = None

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.close(descriptor)

    def _give_up(self) -> None:
        """Close the file without the piece of a line at its end, and remove it if there is nothing else in it."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
                if not self._size:
                    self._path.unlink(missing_ok=True)
        self.close()

    def _needs_file(self, more: int) -> bool:
        if self._descriptor is None or (self._size and self._size + more > self.file_bytes):
            return True
        return os.fstat(self._descriptor).st_nlink == 0  # another process, or a person, has removed it

    def _begin_file(self) -> None:
        self.close()
        self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._make_room()
        self._path = self.folder / f"prompts-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}.jsonl"
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, FILE_MODE)
        self._size = 0

    def _make_room(self) -> None:
        """Remove the oldest files until there is room for another one."""
        sizes: dict[Path, int] = {}
        for path in files(self.folder):
            with suppress(FileNotFoundError):  # another process has just removed it
                sizes[path] = path.stat().st_size
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total + self.file_bytes <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def files(folder: Path) -> list[Path]:
    """Return the files in a folder, the oldest first."""
    return sorted(folder.glob(PATTERN))


def read(folder: Path) -> Iterator[LoggedPrompt | None]:
    """Yield what is in the files of a folder, file by file; None for a line that is damaged or incomplete.

    Raises:
        UserError: there is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder: name the one that the server logs its prompts to (serve --log-prompts)")
    found = files(folder)
    if not found:
        raise UserError(f"{folder}: holds no {PATTERN}: name the folder that the server logs its prompts to (serve --log-prompts)")
    for path in found:
        with suppress(FileNotFoundError), path.open("rb") as file:
            for line in file:
                try:
                    yield LoggedPrompt.decode(line)
                except (ValueError, TypeError):
                    yield None
