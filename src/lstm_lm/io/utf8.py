"""UTF-8 for file names and arguments, whatever the locale says."""

import os
import sys


def ensure() -> None:
    """Start this program again in Python's UTF-8 mode, unless names of files are UTF-8 already.

    In another encoding, such as that of a Latin-1 locale, the same files would have other names, and names that it lacks could not
    be opened. What is printed keeps the terminal's encoding.
    """
    if sys.getfilesystemencoding().lower() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    if "PYTHONIOENCODING" not in os.environ and streams:
        os.environ["PYTHONIOENCODING"] = f"{streams[0].encoding}:backslashreplace"
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [os.fsencode(sys.executable), *map(_utf8, sys.orig_argv[1:])])


def _utf8(argument: str) -> bytes:
    """Return an argument in UTF-8, in which it may have been typed whatever the locale says."""
    typed = os.fsencode(argument)
    try:
        typed.decode("utf-8")
    except UnicodeDecodeError:
        return argument.encode("utf-8", "surrogateescape")
    return typed
