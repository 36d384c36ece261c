"""MLflow's pages, as `cli.py ui` starts them, asked by other names."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from conftest import PROJECT, environment

pytestmark = pytest.mark.slow


def test_pages_open_under_the_names_that_are_allowed_and_no_others(empty_store: Path, tmp_path: Path, free_port: int) -> None:
    shutil.copy(empty_store, tmp_path)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    options = ["--host", "::1", "--port", str(free_port), "--allowed-hosts", "box.example"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, PROJECT / "src/cli.py", "ui", *options], cwd=tmp_path, env=environment(), stdout=log, stderr=log
        )
    try:
        address = f"http://[::1]:{free_port}"
        deadline = time.monotonic() + 180
        while True:
            try:
                requests.get(f"{address}/health", timeout=5)
                break
            except requests.ConnectionError:
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.5)

        def status(host: str) -> tuple[int, int]:
            """Of a page, and of a request that this page sends."""
            search = f"{address}/ajax-api/2.0/mlflow/experiments/search"
            headers = {"Host": host, "Origin": f"http://{host}"}
            page = requests.get(address, headers={"Host": host}, timeout=60).status_code
            return page, requests.post(search, headers=headers, json={"max_results": 1}, timeout=60).status_code

        for host in (f"[::1]:{free_port}", f"localhost:{free_port}", f"box.example:{free_port}", "box.example"):
            assert status(host) == (200, 200), host
        assert status(f"evil.example:{free_port}") == (403, 403)
    finally:
        process.terminate()
        code = process.wait(timeout=30)
    assert code == 143
    printed = (tmp_path / "log").read_text().splitlines()
    assert printed[0] == "starting MLflow ..."
    assert printed[1].startswith("There is no training yet. In another terminal, run: make repro.")
    # The log of requests, or a message of MLflow, would push the address away.
    assert printed[4] == f"  {address}/#/experiments/1/runs?viewStateShareKey=leaderboard&workflowType=machine_learning"
    assert all("Rejected request with invalid Host header: evil.example" in line for line in printed[5:-1]), printed
    assert printed[-1] == "stopped"
