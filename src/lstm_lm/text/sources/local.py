"""The user's own files in data/own."""

import os
from collections.abc import Iterator
from pathlib import Path

from lstm_lm.config.schema import PathSource
from lstm_lm.errors import SettingError, UserError
from lstm_lm.paths import OWN_TEXT
from lstm_lm.text.sources.files import SourceFile, document_name, local_file

KEY = "download.source.path"


def read_files(source: PathSource) -> Iterator[SourceFile]:
    """Yield a file, or every file in a folder except hidden ones, in order of their documents' names.

    Raises:
        UserError: the path is outside data/own, missing or empty, or a link in it leads to a folder or to nothing.
    """
    path = Path(source.path)
    _check_inside(path)
    if not path.exists():
        raise SettingError(KEY, f"{source.path}: no such file or folder")
    if path.is_file():
        yield local_file(path.name, path)
        return
    visible = [file for file in path.rglob("*") if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    _check_links(visible)
    named = [(file.relative_to(path).as_posix(), file) for file in visible if file.is_file()]
    if not named:
        hint = " (an experiment contains only files that Git tracks: git add them)" if "DVC_EXP_NAME" in os.environ else ""
        raise SettingError(KEY, f"{source.path}: no text in this folder: put your .txt or .md files there{hint}")
    for name, file in sorted(named, key=lambda pair: document_name(pair[0])):
        yield local_file(name, file)


def _check_inside(path: Path) -> None:
    """Check that a path is in the folder that the stage depends on."""
    # By name, not by where links lead, so that a link in data/own can point to text that is elsewhere.
    plain = Path(*[part for part in path.parts if part != "."])
    if path.is_absolute() or ".." in path.parts or not plain.is_relative_to(OWN_TEXT):
        raise SettingError(
            KEY, f"{path}: must be {OWN_TEXT} or inside it, where DVC notices changes: put your text, or a link to it, there"
        )


def _check_links(files: list[Path]) -> None:
    for file in files:
        # DVC hashes the target of a linked file, but does not look into a linked folder: changes in it would go unnoticed.
        if file.is_symlink() and not file.is_file():
            target = "a folder" if file.is_dir() else "nothing"
            raise UserError(f"{file}: a link to {target}: link the files themselves, or copy them here")
