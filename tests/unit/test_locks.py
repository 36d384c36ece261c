import subprocess
import sys

import pytest

from conftest import PROJECT, environment
from lstm_lm.errors import UserError
from lstm_lm.io import locks


def test_a_second_process_is_rejected_and_the_lock_holder_is_named(tmp_path):
    code = (
        "import sys; from pathlib import Path; from lstm_lm.io import locks\n"
        "with locks.exclusive(Path(sys.argv[1]), 'busy'): print('held', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "lock"
    command = [sys.executable, "-c", code, path]
    holder = subprocess.Popen(command, cwd=PROJECT / "src", env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"^process {holder.pid} is here$"), locks.exclusive(path, "{holder} is here"):
            pass
        holder.kill()
        holder.wait()
        with locks.exclusive(path, "{holder} is here", timeout=5):  # the lock ended with its process
            assert (tmp_path / "lock.pid").exists()
    finally:
        holder.kill()
        holder.communicate()
    assert not list(tmp_path.iterdir())
