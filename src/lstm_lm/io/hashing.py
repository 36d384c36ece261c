"""Digests of files and folders, of what a stage reads, and of JSON values."""

import hashlib
import json
from pathlib import Path
from typing import Any


def digest(path: str | Path) -> str:
    """Return the sha256 of a file, or of a folder: of its files' relative names and digests."""
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    listing = "".join(f"{file.relative_to(path).as_posix()} {digest(file)}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def digest_dependencies(stage: str, pipeline: str | Path = "dvc.yaml") -> dict[str, str]:
    """Return the digest of each path of data and code that a stage depends on, according to dvc.yaml."""
    from ruamel.yaml import YAML

    stages = YAML(typ="safe").load(Path(pipeline).read_text(encoding="utf-8"))["stages"]
    return {dep: digest(dep) for dep in stages[stage]["deps"]}


def digest_json(*values: Any) -> str:
    """Return a short digest of JSON values, 16 hexadecimal digits. The order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
