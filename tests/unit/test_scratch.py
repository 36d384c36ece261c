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
    scratch_module.remove_ended(root, "x")
    assert scratch.read("run")  # training has not finished
    scratch.write("ended", {"steps": 3})
    scratch_module.remove_ended(root, "y")
    assert scratch.read("run")  # another run has finished
    scratch_module.remove_ended(root, "x")
    assert not list(scratch.folder.parent.iterdir())


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
