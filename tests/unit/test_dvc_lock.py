"""What dvc.lock records of the pipeline's outputs."""

import hashlib
from pathlib import Path

import pytest

from lstm_lm.io import dvc_lock

LOCK = "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: y\n    outs:\n    - path: c\n      md5: {}\n    - path: d\n      size: 1\n"


def test_a_file_is_the_recorded_one_or_not(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(LOCK.format(hashlib.md5(b"text").hexdigest()))
    for content, expected in ((b"text", True), (b"other", False)):
        (tmp_path / "c").write_bytes(content)
        assert dvc_lock.is_recorded(tmp_path, "c") is expected


@pytest.mark.parametrize("content", [None, "", "[", "stages: []", "stages: {a: {outs: [1]}}", LOCK.format("0")])
def test_a_lock_without_the_file_records_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "dvc.lock").write_text(content)
    assert dvc_lock.is_recorded(tmp_path, "d") is None
