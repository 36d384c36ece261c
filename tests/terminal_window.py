"""Runs commands in a terminal window of a given size."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

STYLES = re.compile(r"\x1b\[[\d;]*m")


def run_in_window(command: Sequence[str], folder: Path, columns: int, rows: int = 40, code: int = 0) -> list[str]:
    """Run a command that prints from top to bottom, and return the lines as they come: a line wider than the window would be broken.

    Args:
        command: and its arguments.
        folder: where to run it.
        columns, rows: of the window.
        code: with which it has to exit.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment["TERM"] = "xterm-256color"
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    try:
        while part := os.read(ours, 1 << 16):
            printed += part
    except OSError:  # the end, once the process has closed its side
        pass
    os.close(ours)
    process.wait(timeout=60)
    text = STYLES.sub("", printed.decode("utf-8")).replace("\r\n", "\n")
    assert process.returncode == code, text
    return [line.rstrip() for line in text.splitlines()]
