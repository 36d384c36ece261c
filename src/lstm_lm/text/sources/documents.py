"""The documents of a text, as files in data/raw."""

import errno
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lstm_lm.errors import SettingError, UserError
from lstm_lm.io import folders
from lstm_lm.io.addresses import mask_values

SOURCE_FILE = "source.json"


@dataclass(frozen=True)
class Document:
    """One text.

    Attributes:
        name: its path relative to data/raw, with forward slashes and ending in .txt.
        blocks: what is in it, in order. They can be read once, before the next document is taken.
    """

    name: str
    blocks: Iterable[str]

    @property
    def text(self) -> str:
        """The blocks together."""
        return "".join(self.blocks)


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
        source: where they are from, as in params.yaml. Secrets in an address are not stored.
        folder: is replaced.
    """
    files: list[dict[str, Any]] = []
    with folders.replaced(folder) as partial:
        for document in documents:
            path = partial / document.name
            if not path.resolve().is_relative_to(partial.resolve()):
                raise SettingError("download.source", f"the file name {document.name} points outside the folder")
            files.append({"name": document.name, **_write(document, path)})
        contents = json.dumps({"source": mask_values(source), "files": files}, indent=1, ensure_ascii=False) + "\n"
        (partial / SOURCE_FILE).write_bytes(contents.encode("utf-8"))
    return Written(len(files), sum(file["bytes"] for file in files))


def _write(document: Document, path: Path) -> dict[str, Any]:
    """Write a document to a new file, and return its digest and size."""
    digest, size = hashlib.sha256(), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{document.name}: another file has this name, or a name that this disk takes for the same: rename it") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise UserError(f"{document.name}: the file name is too long: shorten it") from None
    with file:
        for block in document.blocks:
            try:
                content = block.encode("utf-8")
            except UnicodeEncodeError:
                raise UserError(f"{document.name}: holds half a character, so that params.yaml: download.encoding must be wrong") from None
            digest.update(content)
            size += file.write(content)
    return {"sha256": digest.hexdigest(), "bytes": size}


def list_files(folder: Path | str) -> list[tuple[str, Path]]:
    """The names and paths of the documents in a folder that `write` made, in order of name."""
    return [(name, Path(folder) / name) for name in load_digests(folder)]


def load_digests(folder: Path | str) -> dict[str, str]:
    """The sha256 of each document in a folder that `write` made: {name: digest}, in order of name."""
    contents = json.loads((Path(folder) / SOURCE_FILE).read_text(encoding="utf-8"))
    return {file["name"]: file["sha256"] for file in contents["files"]}


def read(folder: Path | str) -> Iterator[Document]:
    """Yield every document of a folder that `write` made, in order of name."""
    for name, path in list_files(folder):
        # As bytes, because Python's universal newlines would change some.
        yield Document(name, [path.read_bytes().decode("utf-8")])


def load_source(path: Path | str) -> RawText:
    """Read a source.json."""
    content = Path(path).read_bytes()
    return RawText(json.loads(content)["source"], hashlib.sha256(content).hexdigest())
