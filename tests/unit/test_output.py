"""Real programs, on terminals, pipes and streams of every kind."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT, environment

PROGRAM = """
import os, signal, sys, time
from lstm_lm.io.interruption import Interruption
from lstm_lm.ui import program, terminal
from lstm_lm.ui.terminal import Column
"""
PRINTS_TEXT = """
def main():
    terminal.heading("é 语 ☃ \\udcff")
    terminal.table([Column("é"), Column("语")], [["☃", "x"]])
    terminal.print("é 语 ☃ \\udcff")
    terminal.note("é 语 ☃ \\udcff")
    raise program.UserError("é 语 ☃ \\udcff")
"""
PRINTS_LINES = """
def main():
    for i in range(100_000):
        terminal.print(f"line {i}")
"""
TRAINS = """
def main():
    with Interruption() as interruption:
        terminal.print("started")
        while interruption.reason is None:
            print("step")
            time.sleep(0.05)
        raise program.Interrupted(interruption.reason, interruption.code)
"""
WAITS = """
def main():
    try:
        terminal.print("started")
        time.sleep(60)
    finally:
        open("cleaned", "w").close()
"""


def hear_hangups() -> None:
    """Undo what `nohup` does, under which the tests may run."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(main: str, arguments: str = "", **options: Any) -> subprocess.Popen[bytes]:
    """Start a program; arguments: what a shell adds to its command, such as redirections."""
    more = options.pop("more", {})
    code = f"{PROGRAM}{main}\nprogram.run(main)"
    command = f'exec "$0" -c "$1" {arguments}'
    variables = environment(PYTHONPATH=str(PROJECT / "src"), **more)
    return subprocess.Popen(
        ["bash", "-c", command, sys.executable, code],
        env=variables,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": hear_hangups, **options},
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Return (exit code, stdout, stderr)."""
    out, err = process.communicate(timeout=60)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_terminal_of_any_encoding_shows_any_text(encoding: str, is_terminal: bool) -> None:
    master, slave = pty.openpty()
    streams = {"stdin": slave, "stdout": slave, "stderr": slave} if is_terminal else {}
    process = start(PRINTS_TEXT, more={"PYTHONIOENCODING": encoding, "COLUMNS": "20", "TERM": "dumb"}, **streams)
    os.close(slave)
    out, err = process.communicate(timeout=60)
    shown = os.read(master, 10_000) if is_terminal else out + err
    os.close(master)
    assert process.returncode == 1
    text = shown.decode(encoding).replace("\r\n", "\n")
    assert "Traceback" not in text
    assert f"error: {'é 语 ☃ '.encode(encoding, 'backslashreplace').decode(encoding)}\\udcff\n" in text


def test_a_reader_that_ends_first_ends_the_program_silently() -> None:
    process = start(PRINTS_LINES)
    assert process.stdout is not None
    assert process.stdout.readline() == b"line 0\n"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_line() -> None:
    assert finish(start(PRINTS_LINES, ">/dev/full")) == (1, "", "error: standard output: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    main = (
        "def main():\n    sys.stdin.read(); file = open('file', 'w')\n    print('x', file=file)\n    os.write(1, b'C'); os.write(2, b'C')\n"
        "    terminal.table([Column('a')], [['x']]); terminal.note('y')"
    )
    code, out, err = finish(start(main, closed, stdin=subprocess.DEVNULL, cwd=tmp_path))
    assert code == 0
    assert "Traceback" not in err
    assert bool(out) == (">&-" not in closed.split())
    assert bool(err) == ("2>&-" not in closed)
    assert (tmp_path / "file").read_text() == "x\n"  # a library that prints below Python does not print into it


@pytest.mark.parametrize(
    ("how", "code", "line"), [("pipe", 141, "stopped (standard output: Broken pipe)\n"), ("hang up", 129, "stopped\n")]
)
def test_a_training_without_reader_or_terminal_stops_at_a_safe_point(how: str, code: int, line: str) -> None:
    master, slave = pty.openpty()
    process = start(TRAINS, **({"stdin": slave, "stdout": slave} if how == "hang up" else {}), start_new_session=True)
    os.close(slave)
    if how == "pipe":
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.stdout.close()
    else:
        assert os.read(master, 7) == b"started"
        process.send_signal(signal.SIGHUP)
        time.sleep(0.02)  # it hears this signal, and then the one that the system sends
    os.close(master)
    assert process.stderr is not None
    assert process.stderr.read().decode() == line
    assert process.wait(timeout=60) == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_end_is_one_line_after_cleaning_up(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = start(WAITS, cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    process.send_signal(number)
    assert finish(process) == (code, "", "stopped\n")
    assert (tmp_path / "cleaned").exists()


def test_nohup_keeps_a_program_running(tmp_path: Path) -> None:
    process = start(TRAINS, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGHUP)
    assert process.stdout.readline() == b"step\n"
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 143
