"""What to call the text that a model is trained on, and where it can be looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from lstm_lm import paths
from lstm_lm.io.addresses import mask

MAX_NAME = 24  # characters
COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
WILDCARDS = set("*?[")
TEXT_DIGEST = "text_digest"  # a parameter of a run: identifies the text after it was cleaned
DIGEST_LENGTH = 16
TEXT = "text"  # a parameter of a run: what people call the text, and a few digits of its digest
TEXT_DIGITS = 4


def name(source: Mapping[str, Any], documents: set[str] | None = None) -> str:
    """Return a short name of a text.

    Args:
        source: `download.source` of params.yaml, or the same from data/raw/source.json.
        documents: names of the documents, if they are known: a single file in data/own gives its name.
    """
    if "pypi" in source:
        package = str(source["pypi"]).partition("==")[0]
        folder = _fixed_parts(str(source.get("members", "")))[-1:]
        return _shorten(" ".join(dict.fromkeys([package, *folder])))
    if "url" in source:
        parts = urlsplit(str(source["url"]))
        folders = _fixed_parts(unquote(parts.path))
        return _shorten(_stem(folders[-1]) if folders else parts.hostname or "text")
    path = PurePosixPath(str(source["path"]))
    if path != PurePosixPath(paths.OWN_TEXT.as_posix()):
        return _shorten(_stem(path.name))
    return _shorten(_stem(next(iter(documents)))) if documents is not None and len(documents) == 1 else "own text"


def link(source: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type and the JSON of MLflow's dataset source. Its pages make a link of an address. Secrets are masked."""
    if "pypi" in source:
        return "pypi", json.dumps({**source, "uri": f"pypi:{source['pypi']}"})
    if "url" in source:
        address = mask(str(source["url"]))
        scheme = urlsplit(address).scheme
        is_web = scheme in ("http", "https")
        return ("http" if is_web else scheme), json.dumps({**source, "url": address, **({} if is_web else {"uri": address})})
    return "local", json.dumps({**source, "uri": str(source["path"])})


def present_digest() -> str | None:
    """Return the digest of the text in data/batches, None if there is none."""
    digest: str | None = _present_batches().get("raw")
    return digest[:DIGEST_LENGTH] if digest else None


def present_text() -> dict[str, str]:
    """Return the parameter that names the text in data/batches, `{"text": "own text 3f2a"}`, or {} if there is none.

    Two texts of one name differ in the digits, and one text has the same in each run.
    """
    batches = _present_batches()
    if "raw" not in batches or "source" not in batches:
        return {}
    return {TEXT: f"{name(batches['source'], present_documents())} {batches['raw'][:TEXT_DIGITS]}"}


def _present_batches() -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads((paths.BATCHES / "batches.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return described


def present_documents() -> set[str] | None:
    """Return the names of the documents in data/vocab, None if there are none."""
    try:
        splits = json.loads(paths.SPLITS.read_text(encoding="utf-8"))
        return {str(span["document"]) for spans in splits.values() for span in spans}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fixed_parts(path: str) -> list[str]:
    """Return the parts of a path before the first one with a wildcard; without any wildcard, all but slashes."""
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if WILDCARDS & set(part):
            break
        parts.append(part)
    return [part for part in parts if part != "/"]


def _stem(file: str) -> str:
    """Return a file's name without its ending, nor that of a compressed file."""
    path = PurePosixPath(file)
    return PurePosixPath(path.stem).stem if path.suffix in COMPRESSED else path.stem


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 3]}..."
