"""Files that are written completely or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that at any moment there is the old or the new one, also after a power cut.

    Args:
        path: of the file.
        write: gets the open binary file and writes the whole content.
    """
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file, as `replace_file` does."""
    replace_file(Path(path), lambda file: file.write(text.encode()))


def write_json(path: str | Path, value: Any, sort_keys: bool = False) -> None:
    """Write a JSON file that people can read, as `replace_file` does."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, sort_keys=sort_keys) + "\n")
