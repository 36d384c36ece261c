"""The documents of a text, as files in data/raw."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lstm_lm.errors import SettingError
from lstm_lm.io import folders

SOURCE_FILE = "source.json"


@dataclass(frozen=True)
class Document:
    """One text.

    Attributes:
        name: its path relative to data/raw, with forward slashes and ending in .txt.
        text: what is in it.
    """

    name: str
    text: str


class Written(NamedTuple):
    """What `write` wrote.

    Attributes:
        documents: how many.
        bytes: of all documents together.
    """

    documents: int
    bytes: int


class RawText(NamedTuple):
    """The description of a text in source.json.

    Attributes:
        source: where the text is from, as in params.yaml.
        sha256: digest of the file, which holds the digests of all documents.
    """

    source: dict[str, Any]
    sha256: str


def write(documents: Iterable[Document], source: dict[str, Any], folder: Path | str) -> Written:
    """Write documents and source.json into a folder, all or nothing: after an error the old folder is unchanged.

    Args:
        documents: are taken one at a time.
        source: where they are from, as in params.yaml.
        folder: is replaced.
    """
    files: list[dict[str, Any]] = []
    with folders.replaced(folder) as partial:
        for document in documents:
            content = document.text.encode("utf-8")
            path = partial / document.name
            if not path.resolve().is_relative_to(partial.resolve()):
                raise SettingError("download.source", f"the file name {document.name} points outside the folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            files.append({"name": document.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)})
            del document, content  # before the next one is read, so that only one is in memory
        contents = json.dumps({"source": source, "files": files}, indent=1, ensure_ascii=False) + "\n"
        (partial / SOURCE_FILE).write_bytes(contents.encode("utf-8"))
    return Written(len(files), sum(file["bytes"] for file in files))


def list_files(folder: Path | str) -> list[tuple[str, Path]]:
    """The names and paths of the documents in a folder that `write` made, in order of name."""
    folder = Path(folder)
    contents = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
    return [(file["name"], folder / file["name"]) for file in contents["files"]]


def read(folder: Path | str) -> Iterator[Document]:
    """Yield every document of a folder that `write` made, in order of name."""
    for name, path in list_files(folder):
        # As bytes, because Python's universal newlines would change some.
        yield Document(name, path.read_bytes().decode("utf-8"))


def load_source(path: Path | str) -> RawText:
    """Read a source.json."""
    content = Path(path).read_bytes()
    return RawText(json.loads(content)["source"], hashlib.sha256(content).hexdigest())
