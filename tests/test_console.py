import os
import socket
import sys
from pathlib import Path

import pytest

from conftest import PROJECT, run
from lstm_lm import console


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """`os._exit` would end pytest itself."""
    monkeypatch.setattr(console.os, "_exit", sys.exit)


def test_a_users_mistake_is_one_line_and_exit_code_1(capfd):
    def main():
        raise console.UserError("params.yaml: x = 0: must be >= 1")

    with pytest.raises(SystemExit) as ended:
        console.run(main)
    assert ended.value.code == 1
    assert capfd.readouterr().err == "error: params.yaml: x = 0: must be >= 1\n"


def test_a_missing_file_is_one_line(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        console.run(Path("data/batches/batches.json").read_text)
    assert ended.value.code == 1
    assert capfd.readouterr().err == "error: data/batches/batches.json: No such file or directory (made by the pipeline: dvc repro)\n"


def test_no_room_on_the_disk_is_one_line(tmp_path):
    code = (
        "import resource; from lstm_lm import console; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "console.run(lambda: open('large', 'wb').write(bytes(10_000)))"
    )
    done = run([sys.executable, "-c", code], tmp_path, check=False, PYTHONPATH=str(PROJECT / "src"))
    assert done.returncode == 1
    assert done.stdout == f"error: File too large: make room for what is written to {tmp_path}, and run this again\n"


def test_a_server_is_not_started_where_it_cannot_listen(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(console.UserError, match=f"port {port} is taken: choose another, with: make ui PORT="):
            console.check_can_serve("sh", "127.0.0.1", port, "make ui PORT=...")
    console.check_can_serve("sh", "127.0.0.1", port, "make ui PORT=...")
    with pytest.raises(console.UserError, match="port 99999: must be from 1 to 65535"):
        console.check_can_serve("sh", "127.0.0.1", 99999, "make ui PORT=...")
    with pytest.raises(console.UserError, match="nonsense is not on PATH: activate"):
        console.check_can_serve("nonsense", "127.0.0.1", port, "")


def test_ctrl_c_is_no_stack_trace(capfd):
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        console.run(main)
    assert ended.value.code == 130
    assert capfd.readouterr().err == "stopped\n"


def test_noise_below_python_is_held_back_and_shown_only_on_failure(capfd):
    with console.quiet_tensorflow():
        os.write(2, b"noise\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
    with pytest.raises(ImportError), console.quiet_tensorflow():
        os.write(2, b"why it failed\n")
        raise ImportError
    assert capfd.readouterr().err == "why it failed\n"


def test_durations_read_well():
    assert [console.duration(seconds) for seconds in (0.2, 59, 83, 600)] == ["0 s", "59 s", "1 min 23 s", "10 min 0 s"]
