"""How `cli.py serve` starts and ends: its arguments, several workers, an API key, SIGTERM."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import requests

from conftest import PROJECT, environment
from http_server import ASCII, Server, make_project, serving, wait_until
from lstm_lm.commands.remote_model import RemoteModel
from lstm_lm.errors import UserError
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.serving.prompts import files

KEY = {"Authorization": "Bearer secret"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A folder to serve in."""
    return make_project(tmp_path_factory.mktemp("processes"), empty_store)


def test_a_mistake_is_one_line(project):
    expected = {
        "--model=nonsense": "model nonsense: there is no such folder: must be a version, models:/NAME@ALIAS",
        "--model=models:/lstm_lm@champion": "model models:/lstm_lm@champion: ",
        f"--model={'0' * 32}": f"{'0' * 32}: ",
        "--model=.": "holds neither an MLflow model (MLmodel) nor a SavedModel",
        "--workers=1": "models/saved_model",  # this checkout has none
    }
    command = [sys.executable, str(PROJECT / "src/cli.py"), "serve"]
    variables = environment(DVC_ROOT=str(project))
    started = [
        subprocess.Popen([*command, argument], cwd=project, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for argument in expected
    ]
    for process, (argument, message) in zip(started, expected.items(), strict=True):
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1, argument
        assert errors.startswith("error: "), errors
        assert message in errors
        assert len(errors.splitlines()) == 1, errors


def check_key_of_terminal(address: str) -> None:
    """`cli.py sample --url` and others send the key, and report when it is missing or wrong."""
    with pytest.raises(UserError, match=r"needs an API key: set LSTM_LM_API_KEY to the key that it was started with$"):
        next(RemoteModel(address, None).complete("thou art", GenerationOptions()))
    with pytest.raises(UserError, match="does not accept this API key: set LSTM_LM_API_KEY"):
        RemoteModel(address, "wrong").next_words("thou art", 3)
    assert len(RemoteModel(f"{address}/v1/", "secret").next_words("thou art", 3).words) == 3


def check_what_is_left(folder: Path, server: Server) -> None:
    """After the end of two workers: the prompts of both, and nothing else."""
    logged = [prompt.prompt for prompt in files.read(folder / "prompts") if prompt is not None]
    assert (logged.count("É thou art"), logged.count("thou art")) == (20, 1)
    assert "leaked" not in server.log.read_text()  # what multiprocessing's resource tracker says after the end
    assert not list((folder / "tmp").iterdir())


def test_workers_share_a_port_and_metrics_and_end_when_they_are_done(project, tiny_saved_models):
    """Two workers with a key, in the C locale, over a SavedModel alone: one is killed and replaced; SIGTERM while a request runs."""
    arguments = ["--model", str(tiny_saved_models / "1/saved_model"), "--workers", "2", "--log-prompts", "prompts"]
    (project / "tmp").mkdir()
    with serving(project, arguments, LSTM_LM_API_KEY="secret", TMPDIR=str(project / "tmp"), **ASCII) as server:
        wait_until(lambda: len(server.events("ready")) == 2, 60)
        killed = server.events("ready")[0]["process"]
        psutil.Process(killed).kill()
        wait_until(lambda: len(server.events("ready")) == 3, 60)
        workers = {event["process"] for event in server.events("ready")} - {killed}
        assert workers < {child.pid for child in psutil.Process(server.process.pid).children(recursive=True)}

        refused = server.post("/v1/completions", {"prompt": "thou art"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        check_key_of_terminal(server.address)
        assert requests.get(f"{server.address}/metrics", timeout=5).status_code == 401
        assert requests.get(f"{server.address}/healthz", timeout=5).status_code == 200
        body = {"prompt": "É thou art", "max_tokens": 9, "seed": 1}
        answers = [server.post("/v1/completions", body, **KEY) for _ in range(20)]  # a connection each: both workers answer
        assert len({answer.json()["choices"][0]["text"] for answer in answers}) == 1
        metrics = requests.get(f"{server.address}/metrics", headers=KEY, timeout=5).text
        assert 'lstm_lm_http_requests_total{method="POST",path="/v1/completions",status="200"} 20.0' in metrics

        reloaded = requests.post(f"{server.address}/admin/reload", headers=KEY, timeout=60).json()["models"]
        assert [model["replaced"] for model in reloaded] == [False]
        wait_until(lambda: len({event["now"] for event in server.events("reload")}) == 1 and len(server.events("reload")) >= 2, 30)

        answers.clear()
        body = {"prompt": "thou art", "max_tokens": 1000, "n": 100, "seed": 1}
        running = threading.Thread(target=lambda: answers.append(server.post("/v1/completions", body, **KEY)))
        running.start()
        time.sleep(0.3)
        started, children = time.monotonic(), psutil.Process(server.process.pid).children(recursive=True)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: requests.get(f"{server.address}/readyz", timeout=5).status_code == 503, 5)
        running.join(60)
        assert answers[0].status_code == 200
        assert [choice["finish_reason"] for choice in answers[0].json()["choices"]] == ["length"] * 100
        assert server.process.wait(30) == 0
        assert time.monotonic() - started < 30
        assert len(server.events("stopped")) == 2
        assert not psutil.wait_procs(children, 10)[1]
        check_what_is_left(project, server)
