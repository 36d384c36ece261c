"""Compressed files and zip archives as what is in them. Nothing is unpacked to the disk, and no size or name in them is trusted."""

import bz2
import gzip
import io
import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any

from lstm_lm.errors import UserError
from lstm_lm.text.sources import files as source_files
from lstm_lm.text.sources.files import Skipped, SourceFile, document_name, relative_names

BLOCK_BYTES = 2**20
MAX_MEMBERS = 1_000_000  # of an archive
MAX_RATIO = 200  # of the size of what is in a file to its own: text is compressed to a tenth, rarely to a fiftieth
ALWAYS_ALLOWED = 2**30  # bytes, whatever the ratio
ARCHIVE = ".zip"
ENCRYPTED = 1  # a flag
# By the first bytes, because a server may have unpacked what still has such a name.
OPENERS: tuple[tuple[re.Pattern[bytes], Callable[[Any], Any]], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), gzip.open),
    (re.compile(rb"BZh[1-9]1AY&SY"), bz2.open),
    (re.compile(rb"\xfd7zXZ\x00"), lzma.open),
)
MAGIC_BYTES = 10
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)


def in_order(files: Iterable[SourceFile], skipped: Skipped, alone: bool) -> Iterator[SourceFile]:
    """Yield files in order of their documents' names, and in place of a zip archive the files in it.

    Args:
        files: of a source.
        skipped: gets those members of archives that are not text by their names.
        alone: a file is all of its source, so that the name of an archive is no part of its members' names.
    Raises:
        UserError: two files would become one document, or an archive is damaged or not to be trusted.
    """
    archive = _OpenArchive()
    try:
        expanded: list[SourceFile] = []
        for file in files:
            if file.name.lower().endswith(ARCHIVE):
                expanded += _members(file, archive, skipped, prefix="" if alone else f"{file.name}/")
            else:
                expanded.append(file)
        expanded.sort(key=lambda file: document_name(file.name))
        _check_names(expanded)
        yield from expanded
    finally:
        archive.close()


def _check_names(files: list[SourceFile]) -> None:
    previous: dict[str, str] = {}
    for file in files:
        source_files.check_name(file.name)
        document = document_name(file.name)
        if document in previous:
            raise UserError(f"{previous[document]} and {file.name} would both become {document}: rename one of them")
        previous[document] = file.name


class _OpenArchive:
    """The archive that was read last: those of a large source cannot all be open at the same time."""

    def __init__(self) -> None:
        self._file: SourceFile | None = None
        self._zip: zipfile.ZipFile | None = None
        self._stack = ExitStack()

    def read(self, file: SourceFile) -> zipfile.ZipFile:
        """Open an archive, unless it is open."""
        if self._zip is None or self._file is not file:
            self.close()
            self._zip = self._stack.enter_context(zipfile.ZipFile(self._stack.enter_context(file.open())))
            self._file = file
        return self._zip

    def open(self, file: SourceFile, member: zipfile.ZipInfo) -> IO[bytes]:
        """Open a member of an archive."""
        return self.read(file).open(member)

    def close(self) -> None:
        """Close the archive that is open."""
        self._stack.close()
        self._file = self._zip = None


def _members(file: SourceFile, archive: _OpenArchive, skipped: Skipped, prefix: str) -> list[SourceFile]:
    try:
        contents = archive.read(file)
        members = [member for member in contents.infolist() if not member.is_dir()]
        size = contents.fp.seek(0, io.SEEK_END) if contents.fp else 0
    except DAMAGED as error:
        raise UserError(f"{file.name}: is no zip archive, or a damaged or incomplete one: {error}") from None
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or unpacked > max(ALWAYS_ALLOWED, MAX_RATIO * size):
        raise UserError(
            f"{file.name}: holds {len(members):,} files of {unpacked / 1e9:,.1f} GB in {size / 1e6:,.1f} MB: that is no archive of texts; "
            "if it is, unpack it"
        )
    wanted = []
    for member in members:
        name = member.filename.replace("\\", "/")
        if name.startswith("/") or ".." in PurePosixPath(name).parts or re.match("[A-Za-z]:", name):
            raise UserError(f"{file.name}: its member {member.filename!r} leads out of the folder that it is unpacked to: remove it")
        reason = "a link" if stat.S_ISLNK(member.external_attr >> 16) else source_files.unwanted(name)
        if reason is None:
            wanted.append((name, member))
        elif reason:
            skipped[f"{file.name}/{name}"] = reason
    if any(member.flag_bits & ENCRYPTED for _, member in wanted):
        raise UserError(f"{file.name}: is protected by a password: unpack it")
    names = relative_names([name for name, _ in wanted]) if wanted else []
    return [SourceFile(prefix + name, partial(archive.open, file, member)) for name, (_, member) in zip(names, wanted, strict=True)]


def read_blocks(file: SourceFile, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked if it is compressed.

    Args:
        file: of any size.
        size: of each block but the last, in bytes.
    Raises:
        UserError: it cannot be read, is damaged or incomplete, or holds unreasonably more than its own size.
    """
    try:
        with ExitStack() as stack:
            with file.open() as start:
                magic = start.read(MAGIC_BYTES)
            packed = stack.enter_context(file.open())
            opener = next((opener for first, opener in OPENERS if first.match(magic)), None)
            stream = stack.enter_context(opener(packed)) if opener else packed
            total = 0
            while block := stream.read(size):
                total += len(block)
                if opener and total > ALWAYS_ALLOWED and total > MAX_RATIO * packed.tell():
                    raise UserError(f"{file.name}: unpacks to more than {MAX_RATIO} times its size: if it is a text, unpack it")
                yield block
    except DAMAGED as error:
        raise UserError(f"{file.name}: cannot be unpacked, it is damaged or incomplete: {error}") from None
    except OSError as error:
        if error.errno is None:  # of bz2
            raise UserError(f"{file.name}: cannot be unpacked, it is damaged or incomplete: {error}") from None
        raise UserError(f"{file.name}: cannot be read: {error.strerror}") from None
