"""The user's own files in data/own."""

import os
from collections.abc import Iterator
from pathlib import Path

from lstm_lm.config.schema import PathSource
from lstm_lm.errors import SettingError, UserError
from lstm_lm.paths import OWN_TEXT
from lstm_lm.text.sources import archives
from lstm_lm.text.sources.files import Skipped, SourceFile, check_utf8, listed, local_file, unwanted

KEY = "download.source.path"
OUTSIDE_OF_DVC = (".git", ".hg", ".dvc")  # folders that DVC does not look into
TRACKED = ".dvc"


def read_files(source: PathSource, skipped: Skipped) -> Iterator[SourceFile]:
    """Yield a file, or every file in a folder except hidden ones, in order of their documents' names.

    Args:
        source: where they are.
        skipped: gets the files in a folder that are not text by their names.
    Raises:
        UserError: the path is outside data/own, missing or empty, or something in it cannot be read.
    """
    path = Path(source.path)
    _check_inside(path)
    if not path.exists():
        raise SettingError(KEY, f"{source.path}: no such file or folder")
    if not path.is_dir():
        _check(path)
        yield from archives.in_order([local_file(path.name, path)], skipped, alone=True)
        return
    files = []
    for file in _walk(path, all_of_it=False):
        name = file.relative_to(path).as_posix()
        reason = unwanted(name)
        if file.suffix == TRACKED and not file.with_suffix("").exists():
            raise UserError(f"{file}: the text that it stands for is not here: fetch it with: dvc pull {file}")
        if reason is None:
            files.append(local_file(name, file))
        elif reason:
            skipped[name] = reason
    if not files:
        only = f", only {listed(skipped)}" if skipped else ""
        raise SettingError(KEY, f"{source.path}: no text in this folder{only}: put your .txt or .md files there")
    yield from archives.in_order(files, skipped, alone=False)


def check_readable() -> None:
    """Check that DVC can read all that is in data/own, which the pipeline depends on whether it is the source or not.

    Raises:
        UserError: it cannot: it would end with an error of its own, or wait for ever.
    """
    if OWN_TEXT.is_dir():
        for _ in _walk(OWN_TEXT, all_of_it=True):
            pass


def _check_inside(path: Path) -> None:
    """Check that a path is in the folder that the stage depends on."""
    # By name, not by where links lead, so that a link in data/own can point to text that is elsewhere.
    plain = Path(*[part for part in path.parts if part != "."])
    if path.is_absolute() or ".." in path.parts or not plain.is_relative_to(OWN_TEXT):
        raise SettingError(
            KEY, f"{path}: must be {OWN_TEXT} or inside it, where DVC notices changes: put your text, or a link to it, there"
        )


def _walk(folder: Path, all_of_it: bool) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders.

    Args:
        folder: where to start.
        all_of_it: look into hidden folders too, and pass over linked ones. Otherwise hidden folders are yielded themselves, and linked
            ones are an error: DVC does not look into them, so that changes would go unnoticed.
    """
    folders = [folder]
    while folders:
        folder = folders.pop()
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            raise UserError(f"{folder}: cannot be read: {error.strerror}: change its permissions, or move it elsewhere") from None
        for path in paths:
            if path.name in OUTSIDE_OF_DVC:
                continue
            if path.name.startswith(".") and not all_of_it:
                yield path
                continue
            _check(path)
            if not path.is_dir():
                yield path
            elif not path.is_symlink():
                folders.append(path)
            elif not all_of_it:
                raise UserError(f"{path}: a link to a folder: link the files themselves, or copy them here")


def _check(path: Path) -> None:
    """Check that DVC and this program can read a file.

    Raises:
        UserError: they cannot.
    """
    check_utf8(str(path))
    if path.is_dir():
        return
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path}: a link to nothing: link the files themselves, or copy them here")
    if not path.is_file():
        raise UserError(f"{path}: is a named pipe, a socket or a device, which DVC cannot read: move it elsewhere")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: cannot be read: Permission denied: change its permissions, or move it elsewhere")
