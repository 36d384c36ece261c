"""Digests of files, folders and of what a stage of the pipeline reads."""

import hashlib
from pathlib import Path


def digest(path):
    """sha256 of a file, or of a folder: of its files' relative names and digests."""
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    listed = "".join(f"{file.relative_to(path).as_posix()} {digest(file)}\n" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()


def of_deps(stage, pipeline="dvc.yaml"):
    """{path: digest} of the data and code that dvc.yaml says a stage reads."""
    from ruamel.yaml import YAML

    stages = YAML(typ="safe").load(Path(pipeline).read_text(encoding="utf-8"))["stages"]
    return {dep: digest(dep) for dep in stages[stage]["deps"]}
