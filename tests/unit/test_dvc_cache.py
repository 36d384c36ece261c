"""Damaged files in a cache that real dvc objects are compared with in tests/pipeline/test_recovery.py."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from lstm_lm.io import dvc_cache

CONTENTS = {"data/vocab/a.txt": b"words " * 100, "data/vocab/sub/b.txt": b"counts", "models/run.json": b"{}"}


def add(root: Path, content: bytes, suffix: str = "") -> Path:
    """Add a file to the cache, as DVC does."""
    digest = hashlib.md5(content).hexdigest()
    path = root / dvc_cache.CACHE / digest[:2] / (digest[2:] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with outputs."""
    for name, content in CONTENTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    outs = "\n".join("    outs:\n    - data/vocab\n    metrics:\n    - models/run.json: {cache: false}".splitlines())
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  vocab:\n    cmd: x\n{outs}\n")
    return tmp_path


@pytest.fixture
def cached(root: Path) -> list[Path]:
    """The files of its cache: of each output, and the list of the folder's files."""
    files = [add(root, content) for content in CONTENTS.values()]
    listing = [{"md5": hashlib.md5(CONTENTS[f"data/vocab/{name}"]).hexdigest(), "relpath": name} for name in ("a.txt", "sub/b.txt")]
    return [*files, add(root, json.dumps(listing).encode(), ".dir")]


def repair(root: Path) -> list[str]:
    """Return the reported lines."""
    lines: list[str] = []
    dvc_cache.repair(root, lines.append)
    return lines


def damage(path: Path, content: bytes) -> None:
    """Replace the content of a read-only file."""
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def test_damaged_files_are_restored_from_the_outputs(root: Path, cached: list[Path]) -> None:
    before = [path.read_bytes() for path in cached]
    for path in cached:
        damage(path, path.read_bytes()[:1])
    assert repair(root) == ["DVC's cache (.dvc/cache/files/md5) contained damaged files: restored 4 from the pipeline's outputs"]
    assert [path.read_bytes() for path in cached] == before
    assert {path.stat().st_mode & 0o777 for path in cached} == {0o444}
    assert repair(root) == []


def test_damaged_files_that_cannot_be_restored_are_removed_and_dvc_has_to_read_the_outputs_again(root: Path, cached: list[Path]) -> None:
    damage(cached[0], b"")
    (root / "data/vocab/a.txt").write_bytes(b"")  # restored from the damaged file
    os.utime(root / "data/vocab/a.txt", (1, 1))
    assert repair(root) == [
        "DVC's cache (.dvc/cache/files/md5) contained damaged files: removed 1; DVC runs a stage again if it needs them"
    ]
    assert [path.exists() for path in cached] == [False, True, True, True]
    assert (root / "data/vocab/a.txt").stat().st_mtime > 1


def test_only_files_that_are_new_since_the_last_time_are_read(root: Path, cached: list[Path]) -> None:
    old = time.time() - 3600
    for path in cached:
        os.utime(path, (old, old))
    assert repair(root) == []
    damage(cached[0], b"")
    os.utime(cached[0], (old, old))
    assert repair(root) == []  # verified before
    os.utime(cached[0])
    assert len(repair(root)) == 1


def test_an_unreadable_note_of_what_was_verified_means_nothing_was(root: Path, cached: list[Path]) -> None:
    assert repair(root) == []
    damage(cached[0], b"")
    os.utime(cached[0], (1, 1))
    (root / dvc_cache.MARKER).write_text("")
    assert len(repair(root)) == 1


def test_temporary_files_that_a_killed_dvc_left_are_removed_and_those_in_use_stay(root: Path, cached: list[Path]) -> None:
    left, used = (cached[0].with_name(f".{name}.tmp") for name in ("left", "used"))
    for path in (left, used):
        path.write_bytes(b"some of it")
    os.utime(left, (1, 1))
    assert repair(root) == []
    assert (left.exists(), used.exists()) == (False, True)


def test_a_project_without_a_cache_is_left_alone(root: Path) -> None:
    assert repair(root) == []
    assert not (root / ".dvc").exists()
