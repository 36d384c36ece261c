"""A real MLflow server that can be killed, stopped, and run out of disk space."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import psutil
import requests

from conftest import environment

START_SECONDS = 180


class MlflowServer:
    """`mlflow server`, by default with a SQLite database and artifacts in a folder, running while the context is entered.

    Args:
        folder: of the database and the artifacts.
        database: the address of another database.
        artifacts: the address of another place for artifacts.
        more: environment variables of the server.

    Attributes:
        port: on 127.0.0.1; the same after each start.
        address: of the server.
    """

    def __init__(self, folder: Path, database: str | None = None, artifacts: str | None = None, **more: str) -> None:
        self.folder = folder
        self._database = database or f"sqlite:///{folder / 'mlflow.db'}"
        self._artifacts = artifacts or str(folder / "artifacts")
        self._more = more
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> MlflowServer:
        self.start()
        return self

    def __exit__(self, error: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        store = ["--backend-store-uri", self._database, "--artifacts-destination", self._artifacts]
        listen = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *store, *listen],
            cwd=self.folder,
            env=environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", **self._more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the MLflow server on port {self.port} does not start")
            time.sleep(0.2)

    def answers(self) -> bool:
        """Whether the server answers."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.address}/health", timeout=2).ok
        return False

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def suspend(self) -> None:
        """Stop the server: it accepts connections and does not answer."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Continue the server after `suspend`."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def fill_disk(self) -> None:
        """From now on every write to a file fails, that of the database and of artifacts included."""
        self._limit_files(1)

    def free_disk(self) -> None:
        """Undo `fill_disk`."""
        self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, size: int) -> None:
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        for process in (main, *main.children(recursive=True)):
            process.rlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
