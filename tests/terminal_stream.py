"""A standard output that claims to be a terminal."""

import io
import sys

import pytest


class Tty(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def replace_stdout(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    """Replace stdout by a stream, with the settings of a terminal with 60 columns and no colors.

    Call this within a test, not in a fixture: pytest replaces stdout, too.
    """
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    return stream
