"""One line for a file that cannot be read or written, by Python, shutil or TensorFlow."""

import errno
import os
import re
import shutil
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OUTPUTS = ("data/", "models/", "reports/")


def line(error: BaseException) -> str | None:
    """Return one line for an error of the file system, or None if it is another error or says nothing to a user."""
    found = _find(error)
    if found is None:
        return None
    number, file = found
    if number in DISK_FULL:
        return f"{os.strerror(number)}: free some disk space at {Path.cwd()} and run this again"
    if file is None:
        return None
    is_output = number == errno.ENOENT and file.startswith(OUTPUTS) and not file.startswith("data/own")
    origin = " (an output of the pipeline; to create it, run: make repro)" if is_output else ""
    return f"{file}: {os.strerror(number)}{origin}"


def _find(error: BaseException) -> tuple[int, str | None] | None:
    """Return (number of the system's error, file) of an exception."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):  # of several files, as text
        text = str(error.args[0][0][-1])
        number = re.search(r"\[Errno (\d+)\]", text)
        return (int(number[1]), str(error.args[0][0][1])) if number else None
    if isinstance(error, OSError):
        return (error.errno, None if error.filename is None else str(error.filename)) if error.errno else None
    if type(error).__module__.startswith("tensorflow"):
        file, _, reason = str(error).splitlines()[0].rpartition("; ") if str(error) else ("", "", "")
        numbers = {os.strerror(number): number for number in errno.errorcode}
        return (numbers[reason], file.rpartition(" ")[2]) if reason in numbers else None
    return None
