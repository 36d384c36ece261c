"""The files of a source, before they are documents."""

import io
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from lstm_lm.errors import UserError


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


def document_name(name: str) -> str:
    """The name of the document that a file becomes: `a/b.md` -> `a/b.txt`."""
    return f"{re.sub(r'[.](md|txt)$', '', name)}.txt"


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
