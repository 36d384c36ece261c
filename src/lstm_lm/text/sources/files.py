"""The files of a source, before they are documents."""

import io
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from lstm_lm.errors import UserError

Skipped = dict[str, str]  # {name of a file that is not read: what it is}

COMPRESSED = re.compile(r"[.](gz|bz2|xz)$", re.IGNORECASE)
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
# By their names, in lower case. Hidden files are not read either.
UNWANTED = (
    (re.compile(r"(.*[.]dvc|dvc[.](yaml|lock))"), "a file of DVC"),
    (re.compile(r"(.*~|#.*#|~\$.*|.*[.](bak|orig|rej|swp|swo|tmp))"), "a backup"),
    (re.compile(r"(e?h?thumbs[.]db|desktop[.]ini|icon\r)"), "a file of the operating system"),
)
UNWANTED_FOLDER = "__MACOSX"
# Hidden files that are so common that nobody wonders why they are not text.
UNMENTIONED = re.compile(r"[.](git.*|dvcignore|ds_store|_.*|#.*)")


class SourceFile(NamedTuple):
    """A file of a source, which is read as a stream: its size does not matter to the memory.

    Attributes:
        name: its path relative to the source, with forward slashes.
        open: opens it for reading bytes, from the start at each call; only until the next file of the source is taken.
    """

    name: str
    open: Callable[[], IO[bytes]]


def local_file(name: str, path: Path) -> SourceFile:
    """A file on this machine's disk. name: as in `SourceFile`."""
    return SourceFile(name, partial(io.FileIO, path))


def unwanted(name: str) -> str | None:
    """What a file is if its name says that it is not text: `a backup`, or `` if nobody wonders; None for any other file.

    name: relative to the source, with forward slashes.
    """
    parts = PurePosixPath(name).parts
    hidden = next((part for part in parts if part.startswith(".")), None)
    if hidden:
        return "" if UNMENTIONED.fullmatch(hidden.lower()) else "hidden"
    if UNWANTED_FOLDER in parts:
        return ""
    return next((what for pattern, what in UNWANTED if pattern.fullmatch(parts[-1].lower())), None)


def check_name(name: str) -> None:
    """Check that a file's name can be written to a text file and shown on one line.

    Raises:
        UserError: it cannot.
    """
    check_utf8(name)
    if CONTROL_CHARACTER.search(name):
        raise UserError(f"{printable(name)}: the file name has a newline or another control character in it: rename the file")


def check_utf8(name: str) -> None:
    """Check that a file's name is text.

    Raises:
        UserError: its bytes are not UTF-8.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{printable(name)}: the file name is not UTF-8: rename the file") from None


def printable(name: str) -> str:
    """A file name on one line, with escapes for what is not text."""
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    return CONTROL_CHARACTER.sub(lambda match: repr(match[0])[1:-1], shown)


def listed(skipped: Skipped, most: int = 5) -> str:
    """The first of the files that are skipped, and what they are, on one line."""
    first = [f"{name} ({what})" for name, what in list(skipped.items())[:most]]
    return ", ".join(first) + (f" and {len(skipped) - most} more" if len(skipped) > most else "")


def document_name(name: str) -> str:
    """The name of the document that a file becomes: `a/b.md.gz` -> `a/b.txt`."""
    return f"{re.sub(r'[.](md|txt)$', '', uncompressed_name(name))}.txt"


def uncompressed_name(name: str) -> str:
    """The name of a file after it was unpacked: `a/b.md.gz` -> `a/b.md`."""
    return COMPRESSED.sub("", name)


def relative_names(paths: list[str]) -> list[str]:
    """Paths relative to the deepest folder that holds all of them."""
    parents = [PurePosixPath(path).parent.parts for path in paths]
    depth = 0
    while all(len(parts) > depth and parts[depth] == parents[0][depth] for parts in parents):
        depth += 1
    return [str(PurePosixPath(*PurePosixPath(path).parts[depth:])) for path in paths]


def check_sha256(actual: str, expected: str | None, name: str) -> None:
    """Check the digest of what was fetched, if one is expected.

    Raises:
        UserError: it is another one.
    """
    if expected is not None and actual != expected:
        raise UserError(f"{name}: sha256 is {actual}, but params.yaml: download.source.sha256 is {expected}")
