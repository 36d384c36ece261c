import os
import signal
import subprocess
import sys

import pytest

from lstm_lm.io import folders


def replace_folder(folder, text):
    with folders.replaced(folder) as new:
        (new / "a.txt").write_text(text)


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    replace_folder(tmp_path / "data/raw", "old")
    (tmp_path / "data/raw/b.txt").write_text("more")
    replace_folder(tmp_path / "data/raw", "new")
    assert [path.name for path in (tmp_path / "data/raw").iterdir()] == ["a.txt"]
    assert (tmp_path / "data/raw/a.txt").read_text() == "new"
    assert (tmp_path / "data/raw").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["raw"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_folder(tmp_path, error):
    replace_folder(tmp_path / "raw", "old")
    with pytest.raises(error), folders.replaced(tmp_path / "raw") as new:
        (new / "a.txt").write_text("half")
        raise error
    assert (tmp_path / "raw/a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_folder_left_by_a_killed_process_is_removed_and_one_in_use_is_kept(tmp_path):
    code = (
        "import os, signal, sys; from lstm_lm.io import folders\n"
        "with folders.replaced(sys.argv[1]):\n"
        "    print('started', flush=True)\n"
        "    signal.pause()"
    )
    command = [sys.executable, "-c", code, tmp_path / "raw"]
    with subprocess.Popen(command, cwd="src", stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "started\n"
        replace_folder(tmp_path / "raw", "new")
        assert len(list(tmp_path.glob(".raw-*"))) == 1  # the other process still uses it
        os.kill(other.pid, signal.SIGKILL)
    assert len(list(tmp_path.glob(".raw-*"))) == 1
    replace_folder(tmp_path / "raw", "newer")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
