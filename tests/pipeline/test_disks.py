"""Stages on a disk that is full or read-only, and without an input: one line, and what earlier runs made stays whole."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import digests, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="only root mounts a disk"),
]
STAGES = ("download", "vocab", "batching")


@pytest.fixture
def small_disk(finished_project: Path, tmp_path: Path) -> Iterator[Path]:
    """A finished project without its models, on a disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let root mount a disk")
    try:
        for name in ("data", "reports", "src"):
            shutil.copytree(finished_project / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("dvc.yaml", "dvc.lock", "params.yaml"):
            shutil.copy(finished_project / name, folder)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def stage(folder: Path, name: str) -> tuple[int, str]:
    """Run a stage's script. Returns (exit code, what it printed last)."""
    done = run([sys.executable, f"src/{name}.py"], folder, check=False, PYTHONDONTWRITEBYTECODE="1")
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout.splitlines()[-1]


def test_a_full_disk_is_one_line_and_leaves_the_outputs_whole(small_disk: Path) -> None:
    before = digests(small_disk / "data")
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    for name in STAGES:
        line = f"error: No space left on device: free some disk space at {small_disk} and run this again"
        assert stage(small_disk, name) == (1, line)
        assert digests(small_disk / "data") == before
    (small_disk / "filler").unlink()
    for name in STAGES:
        assert stage(small_disk, name)[0] == 0
    assert digests(small_disk / "data") == before


def test_a_read_only_disk_and_a_missing_input_are_one_line(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for name in STAGES:
        code, line = stage(small_disk, name)
        assert code == 1
        assert line.startswith("error: data/.")
        assert line.endswith(": Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    (small_disk / "data/raw/part-05.txt").unlink()
    (small_disk / "data/batches/batches.json").unlink()
    created = "No such file or directory (an output of the pipeline; to create it, run: make repro)"
    assert stage(small_disk, "vocab") == (1, f"error: data/raw/part-05.txt: {created}")
    assert stage(small_disk, "train") == (1, f"error: data/batches/batches.json: {created}")
