import subprocess
import sys

import pytest

from conftest import PROJECT, environment
from lstm_lm.errors import UserError
from lstm_lm.io import scratch as scratch_module
from lstm_lm.io.scratch import Scratch


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path, "0123456789abcdef")


def test_facts_are_kept_until_their_training_run_has_finished(scratch):
    with scratch.lock():
        assert scratch.read("run") is None
        scratch.write("run", {"run_id": "x"})
    with scratch.lock():
        assert scratch.read("run") == {"run_id": "x"}
    root = scratch.folder.parent.parent
    (scratch.folder / "checkpoint.npz").write_bytes(b"x")
    scratch_module.settle_ended(root, "x")
    assert (scratch.folder / "checkpoint.npz").exists()  # training has not finished
    scratch.write("ended", {"steps": 3, "is_extendable": False})
    scratch_module.settle_ended(root, "y")
    assert (scratch.folder / "checkpoint.npz").exists()  # another run has finished
    scratch_module.settle_ended(root, "x")
    assert sorted(path.name for path in scratch.folder.iterdir()) == ["ended.json", "run.json", "settled.json"]


def test_the_last_training_alone_keeps_what_more_epochs_need(tmp_path):
    for name, is_extendable in (("first", True), ("second", True), ("third", False)):
        scratch = Scratch(tmp_path, name)
        with scratch.lock():
            scratch.write("run", {"run_id": name})
            for file in ("checkpoint.npz", "history.csv"):
                (scratch.folder / file).write_bytes(b"x")
            scratch.write("ended", {"steps": 3, "is_extendable": is_extendable})
        scratch_module.settle_ended(tmp_path, name)
        assert [each.folder.name for each in scratch_module.all_scratch(tmp_path)] == [name]
        assert (scratch.folder / "checkpoint.npz").exists() == is_extendable
        assert not (scratch.folder / "history.csv").exists()


def test_a_second_concurrent_training_is_rejected_and_the_first_is_named(scratch, monkeypatch):
    monkeypatch.setattr(scratch_module, "LOCK_SECONDS", 0.1)
    code = (
        "import sys; from lstm_lm.io.scratch import Scratch\n"
        "with Scratch(*sys.argv[1:]).lock(): print('held', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", code, scratch.folder.parent.parent, scratch.folder.name]
    holder = subprocess.Popen(arguments, cwd=PROJECT / "src", env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {holder.pid} is already running this training"), scratch.lock():
            pass
        other = Scratch(scratch.folder.parent.parent, "another")
        with other.lock():
            pass
        holder.kill()  # a lock ends with its process, even if the process is killed
        holder.wait()
        with scratch.lock():
            pass
    finally:
        holder.kill()
        holder.communicate()
