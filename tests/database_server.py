"""A PostgreSQL server on 127.0.0.1, with its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(found) for found in [shutil.which("initdb")] if found]
PASSWORD = "a/secret@word"  # in an address: a%2Fsecret%40word


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server with one empty database, and yield the database's address, with its password."""
    if not PROGRAMS:
        pytest.skip("there is no PostgreSQL server: apt install postgresql")
    programs = PROGRAMS[-1].parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    # Not in pytest's folder, which only its owner may enter: the server refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    prefix = _as_other_user(folder)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    data = str(folder / "data")
    initdb = [*prefix, str(programs / "initdb"), "--no-sync", "--username=lstm", "--auth=scram-sha-256"]
    try:
        subprocess.run([*initdb, f"--pwfile={folder / 'password'}", "-D", data], check=True, capture_output=True, cwd="/")
        options = ["-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
        command = [*prefix, str(programs / "postgres"), *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        try:
            _wait(process, programs, port)
            yield f"postgresql://lstm:a%2Fsecret%40word@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_other_user(folder: Path) -> list[str]:
    """The command before a program that must not run as root. The folder becomes that user's."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _wait(process: subprocess.Popen[bytes], programs: Path, port: int) -> None:
    for _ in range(300):
        if subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode == 0:
            return
        assert process.poll() is None, "the PostgreSQL server ended"
        time.sleep(0.1)
    raise AssertionError("the PostgreSQL server does not answer")
