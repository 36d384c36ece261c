import json
import os
import subprocess
import sys

import numpy as np
import pytest

from conftest import PROJECT, environment
from lstm_lm.errors import UserError
from lstm_lm.io import atomic
from lstm_lm.io import checkpoints as checkpoints_module
from lstm_lm.io import scratch as scratch_module
from lstm_lm.io.checkpoints import Checkpoints
from lstm_lm.io.scratch import Scratch

ARRAYS = {"weights/embedding": np.arange(6, dtype=np.float32).reshape(2, 3)}


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path, scratch_module.key_of({"learning_rate": 0.1}, "data"))


def test_anything_that_shapes_a_training_is_in_its_key():
    key = scratch_module.key_of({"learning_rate": 0.1, "epochs": 1}, "data")
    assert key == scratch_module.key_of({"epochs": 1, "learning_rate": 0.1}, "data")
    assert len({key, scratch_module.key_of({"learning_rate": 0.2, "epochs": 1}, "data"), scratch_module.key_of({}, "data")}) == 3


def test_the_latest_state_comes_back_exactly(scratch):
    with scratch.lock():
        checkpoints = Checkpoints(scratch.folder, 30)
        assert checkpoints.load() is None
        for step in (1, 2):
            checkpoints.save(ARRAYS, {"step": step, "loss": 0.1 + 0.2, "rows": [{"a": None}]})
        checkpoints.close()
        arrays, facts = Checkpoints(scratch.folder, 30).load()
        assert facts == {"step": 2, "loss": 0.1 + 0.2, "rows": [{"a": None}]}
        assert list(arrays) == list(ARRAYS)
        assert (arrays["weights/embedding"] == ARRAYS["weights/embedding"]).all()
        assert [path.name for path in scratch.folder.iterdir()] == ["checkpoint.npz"]


def test_a_checkpoint_cut_short_leaves_the_one_before(scratch, monkeypatch, capsys):
    with scratch.lock():
        checkpoints = Checkpoints(scratch.folder, 30)
        checkpoints.save(ARRAYS, {"step": 1})
        checkpoints.wait()

        def cut_short(file, **arrays):
            file.write(b"PK half of it")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(checkpoints_module.np, "savez", cut_short)
        checkpoints.save(ARRAYS, {"step": 2})
        checkpoints.close()
        assert checkpoints.load()[1] == {"step": 1}
    assert "warning: no checkpoint could be written" in capsys.readouterr().out


def test_a_checkpoint_that_cannot_be_read_is_said(scratch, capsys):
    with scratch.lock():
        checkpoints = Checkpoints(scratch.folder, 30)
        checkpoints.path.write_bytes(b"PK nothing more")
        assert checkpoints.load() is None
    assert capsys.readouterr().out.count("\n") == 1


def test_it_is_due_by_the_clock_and_never_costs_more_than_its_share(scratch, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoints_module.time, "monotonic", lambda: now[0])
    with scratch.lock():
        checkpoints = Checkpoints(scratch.folder, 30)
        for now[0], due in ((0, False), (29, False), (30, True)):
            assert checkpoints.due() == due
        checkpoints.save(ARRAYS, {})
        checkpoints.wait()
        checkpoints.cost = 0.5
        for now[0], due in ((30 + 49, False), (30 + 50, True)):
            assert checkpoints.due() == due


def test_notes_are_kept_until_the_training_has_ended_well(scratch):
    with scratch.lock():
        assert scratch.note("run") is None
        scratch.note("run", {"run_id": "x"})
    with scratch.lock():
        assert scratch.note("run") == {"run_id": "x"}
    root = scratch.folder.parent.parent
    scratch_module.remove_ended(root, "x")
    assert scratch.note("run")  # it has not ended
    scratch.note("ended", {"steps": 3})
    scratch_module.remove_ended(root, "y")
    assert scratch.note("run")  # it is another one
    scratch_module.remove_ended(root, "x")
    assert not list(scratch.folder.parent.iterdir())


def test_a_second_one_at_the_same_time_is_told_of_the_first(scratch, monkeypatch):
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
        holder.kill()  # however it ends, its lock goes with it
        holder.wait()
        with scratch.lock():
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_a_file_is_replaced_only_when_it_is_whole(tmp_path):
    path = tmp_path / "note.json"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic.replace_file(path, fail)
    assert path.read_text() == "old"
    atomic.replace_file(path, lambda file: file.write(json.dumps({"new": os.getpid()}).encode()))
    assert json.loads(path.read_text()) == {"new": os.getpid()}
