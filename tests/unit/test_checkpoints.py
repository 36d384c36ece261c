import numpy as np
import pytest

from lstm_lm.io import checkpoints as checkpoints_module
from lstm_lm.io.checkpoints import Checkpoints
from lstm_lm.io.scratch import Scratch

ARRAYS = {"weights/embedding": np.arange(6, dtype=np.float32).reshape(2, 3)}


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path, "0123456789abcdef")


def test_the_latest_checkpoint_is_loaded_exactly(scratch):
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


def test_a_failed_write_leaves_the_previous_checkpoint(scratch, monkeypatch, capsys):
    with scratch.lock():
        checkpoints = Checkpoints(scratch.folder, 30)
        checkpoints.save(ARRAYS, {"step": 1})
        checkpoints.wait()

        def fail_to_write(file, **arrays):
            file.write(b"PK the first half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(checkpoints_module.np, "savez", fail_to_write)
        checkpoints.save(ARRAYS, {"step": 2})
        checkpoints.close()
        assert checkpoints.load()[1] == {"step": 1}
    assert "warning: no checkpoint could be written" in capsys.readouterr().out


def test_an_unreadable_checkpoint_is_reported_in_one_line(scratch, capsys):
    with scratch.lock():
        checkpoints = Checkpoints(scratch.folder, 30)
        checkpoints.path.write_bytes(b"PK nothing more")
        assert checkpoints.load() is None
    assert capsys.readouterr().out.count("\n") == 1


def test_checkpoints_are_due_at_intervals_and_take_at_most_one_percent_of_the_time(scratch, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(checkpoints_module.time, "monotonic", lambda: clock[0])
    with scratch.lock():
        checkpoints = Checkpoints(scratch.folder, 30)
        for clock[0], due in ((0, False), (29, False), (30, True)):
            assert checkpoints.is_due() == due
        checkpoints.save(ARRAYS, {})
        checkpoints.wait()
        checkpoints.write_seconds = 0.5
        for clock[0], due in ((30 + 49, False), (30 + 50, True)):
            assert checkpoints.is_due() == due
