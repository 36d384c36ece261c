"""What a killed dvc leaves of its own files. tests/pipeline/test_recovery.py runs dvc on the repaired ones."""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import COMMIT, run
from lstm_lm.io import dvc_records

COMMITTED = "schema: '2.0'\nstages:\n  vocab:\n    cmd: python src/vocab.py\n    outs:\n    - path: data/vocab\n      md5: aaaa\n"
LATER = COMMITTED + "  train:\n    cmd: python src/train.py\n    outs:\n    - path: models\n      md5: bbbb\n"
CONFLICT = f"<<<<<<< HEAD\n{COMMITTED}=======\n{LATER}>>>>>>> theirs\n"
NOBODY = 2**22 + 1  # above the largest process number of Linux


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Git repository with a committed dvc.lock."""
    (tmp_path / ".dvc/tmp/exps").mkdir(parents=True)
    (tmp_path / "dvc.lock").write_text(COMMITTED)
    run(["git", "init", "-q"], tmp_path)
    run(["git", "add", "dvc.lock"], tmp_path)
    run([*COMMIT, "one stage"], tmp_path)
    return tmp_path


def repair(root: Path) -> list[str]:
    """Return the reported lines."""
    lines: list[str] = []
    dvc_records.repair(root, lines.append)
    return lines


@pytest.mark.parametrize("left", ["", LATER[:-40], "hello\n", "\0" * 200, "schema: '2.0'\nstages:\n  vocab:\n    outs:\n"])
def test_an_incomplete_lock_file_is_replaced_by_the_committed_one(root: Path, left: str) -> None:
    (root / "dvc.lock").write_text(left)
    assert repair(root) == [
        "dvc.lock was left incomplete by a dvc that was killed: restored the version of the last commit; "
        "what later runs made is taken from DVC's cache"
    ]
    assert (root / "dvc.lock").read_text() == COMMITTED
    assert repair(root) == []


def test_a_lock_file_with_a_merge_conflict_is_replaced_by_the_committed_one(root: Path) -> None:
    (root / "dvc.lock").write_text(CONFLICT)
    [line] = repair(root)
    assert line.startswith("dvc.lock contained the markers of a merge conflict: restored the version of the last commit")
    assert (root / "dvc.lock").read_text() == COMMITTED


def test_an_incomplete_lock_file_without_a_committed_one_is_removed(root: Path) -> None:
    (root / "dvc.lock").write_text("")
    run([*COMMIT, "an empty one"], root)
    assert repair(root)[0].startswith("dvc.lock was left incomplete by a dvc that was killed: removed it; ")
    assert not (root / "dvc.lock").exists()


def test_a_complete_lock_file_that_is_not_committed_stays(root: Path) -> None:
    (root / "dvc.lock").write_text(LATER)
    assert repair(root) == []
    assert (root / "dvc.lock").read_text() == LATER


@pytest.mark.parametrize("left", ["", '{"write": {"/data', "[]", '{"write": {"/data": {"pid": "1"}}}', '{"other": {}}'])
@pytest.mark.parametrize("name", dvc_records.RWLOCKS)
def test_an_incomplete_list_of_locked_files_is_removed(root: Path, name: str, left: str) -> None:
    (root / name).write_text(left)
    assert repair(root) == [f"{name} was left incomplete by a dvc that was killed: removed it"]
    assert not (root / name).exists()


def test_locks_of_a_process_that_is_gone_are_removed_and_those_of_a_live_one_stay(root: Path) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "repro"])
    try:
        live = {"pid": sleeper.pid, "cmd": "/bin/dvc repro"}
        reused = {"pid": sleeper.pid, "cmd": "/bin/dvc exp run"}  # another dvc had this number
        gone = {"pid": NOBODY, "cmd": "/bin/dvc repro"}
        path = root / ".dvc/tmp/rwlock"
        path.write_text(json.dumps({"write": {"/vocab": live}, "read": {"/raw": [live]}}))
        before = path.read_bytes()
        assert repair(root) == []
        assert path.read_bytes() == before

        path.write_text(json.dumps({"write": {"/vocab": live, "/batches": reused}, "read": {"/raw": [gone, live], "/src": [gone]}}))
        assert repair(root) == [".dvc/tmp/rwlock listed files as locked by a dvc that is gone: removed them from it"]
        assert json.loads(path.read_text()) == {"write": {"/vocab": live}, "read": {"/raw": [live]}}

        path.write_text(json.dumps({"write": {"/vocab": live}}))
        os.utime(path, (time.time() - 3600,) * 2)  # written before this process had the number
        assert len(repair(root)) == 1
        assert json.loads(path.read_text()) == {"write": {}, "read": {}}
    finally:
        sleeper.kill()
        sleeper.wait()


def test_incomplete_records_of_runs_are_removed_and_complete_ones_stay(root: Path) -> None:
    runs = root / dvc_records.RUNS
    for name, content in {"aa/aa1/b": "cmd: x\n", "aa/aa1/.c.tmp": "cmd: x\n", "dd/dd1/.e.tmp": "cm", "ff/ff1/g": ""}.items():
        (runs / name).parent.mkdir(parents=True, exist_ok=True)
        (runs / name).write_text(content)
    (runs / "00/001").mkdir(parents=True)
    assert repair(root) == [".dvc/cache/runs contained incomplete records of a dvc that was killed: removed them"]
    assert [path.relative_to(runs).as_posix() for path in runs.glob("??/*/**/*")] == ["aa/aa1/b"]
    assert [path.relative_to(runs).as_posix() for path in runs.glob("??/*")] == ["aa/aa1"]
    assert repair(root) == []


@pytest.mark.parametrize("guard", dvc_records.GUARDS)
def test_nothing_is_touched_while_another_dvc_is_at_work(root: Path, guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc_records, "WAIT_SECONDS", 0.05)
    (root / "dvc.lock").write_text("")
    (root / ".dvc/tmp/rwlock").write_text("")
    with (root / guard).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert repair(root) == []
        assert (root / "dvc.lock").read_text() == (root / ".dvc/tmp/rwlock").read_text() == ""
    assert len(repair(root)) == 2


def test_a_folder_without_dvc_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("")
    assert repair(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["dvc.lock"]
