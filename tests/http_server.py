"""Servers of `cli.py serve` for the tests, over small registered models."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from conftest import PROJECT, environment

# All that is tested must hold in a locale that knows ASCII only too.
ASCII = {"LC_ALL": "C", "LANG": "C"}


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        address: http://127.0.0.1:PORT.
        process: the one that was started.
        log: the file with its output.
    """

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        """Send JSON. json.dumps, unlike requests, serializes NaN."""
        content_type = {"Content-Type": "application/json", **headers}
        return requests.post(f"{self.address}{path}", data=json.dumps(body), headers=content_type, timeout=180)

    def complete(self, prompt: str | list[str], **parameters: Any) -> list[str]:
        """Return the texts of /v1/completions, without the prompts."""
        response = self.post("/v1/completions", {"prompt": prompt, **parameters})
        assert response.status_code == 200, response.text
        return [choice["text"] for choice in response.json()["choices"]]

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all labels but the given ones."""
        total, lines = 0.0, requests.get(f"{self.address}/metrics", timeout=10).text.splitlines()
        for line in lines:
            if line.partition("{")[0].partition(" ")[0] == name and all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of the log about an event."""
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it did not come true.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def make_project(folder: Path, empty_store: Path) -> Path:
    """Make a folder in which `cli.py serve` finds params.yaml and an empty tracking store."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_store, folder)
    shutil.copy(PROJECT / "params.yaml", folder)
    return folder


@contextmanager
def serving(folder: Path, arguments: Sequence[str], in_terminal: bool = False, **variables: str) -> Iterator[Server]:
    """Start a server in a folder, wait until it is ready, and stop it at the end.

    Args:
        folder: of `make_project`.
        arguments: of `cli.py serve`.
        in_terminal: its output goes to a terminal, and from there to the log.
        variables: of the environment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / f"server-{port}.log"
    command = [sys.executable, str(PROJECT / "src/cli.py"), "serve", "--port", str(port), *arguments]
    with terminal(log) if in_terminal else log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment(DVC_ROOT=str(folder), **variables), stdout=file, stderr=file, cwd=folder, start_new_session=True
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until(lambda: _is_ready(server), 120)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


@contextmanager
def terminal(log: Path) -> Iterator[int]:
    """A terminal whose lines are copied to a file until the last program that has it open ends."""
    ours, theirs = pty.openpty()

    def copy() -> None:
        with log.open("wb") as file, contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(ours, 65536):
                file.write(data.replace(b"\r\n", b"\n"))
                file.flush()
        os.close(ours)

    threading.Thread(target=copy, daemon=True).start()
    try:
        yield theirs
    finally:
        os.close(theirs)


def _is_ready(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return requests.get(f"{server.address}/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False
