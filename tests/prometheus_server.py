"""A real Prometheus with this project's configuration, where its package is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from http_server import wait_until
from monitoring_files import FOLDER

PROMETHEUS = shutil.which("prometheus")


class Prometheus:
    """A Prometheus that runs at an address."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of its API."""
        response = requests.get(f"{self.address}/api/v1/{path}", params=parameters, timeout=10)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def values(self, query: str) -> list[float]:
        """Return the values that a query has now."""
        return [float(result["value"][1]) for result in self.get("query", query=query)["result"]]


@contextmanager
def scraping(folder: Path, target: str) -> Iterator[Prometheus]:
    """Start Prometheus with the configuration of monitoring/, but another target, every second and in a folder of its own.

    Args:
        folder: for its files.
        target: HOST:PORT of a server.
    """
    shutil.copytree(FOLDER / "prometheus", folder)
    configuration = folder / "prometheus.yml"
    text = configuration.read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:5001", target),
        ("scrape_interval: 5s", "scrape_interval: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    configuration.write_text(text, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        str(PROMETHEUS),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    started = Prometheus(f"http://{address}")
    try:
        wait_until(lambda: _is_ready(started), 60)
        yield started
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(server: Prometheus) -> bool:
    try:
        return requests.get(f"{server.address}/-/ready", timeout=2).status_code == 200
    except requests.RequestException:
        return False
