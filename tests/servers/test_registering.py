"""Versions and the alias `champion` when several processes register at once, and when a server's answers are lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import PROJECT, environment
from fault_proxy import Fault, FaultProxy
from lstm_lm.tracking import champion, logged_model, mlflow_model, registry, store, version_links, versions
from lstm_lm.tracking.run import create_run
from mlflow_helpers import SETTINGS
from mlflow_server import MlflowServer

pytestmark = pytest.mark.slow
ROUNDS = 3
# Registers one model in each round. The processes wait for each other before each round.
REGISTER = """
import os, sys, time
from pathlib import Path
from mlflow_helpers import SETTINGS, log_small_model  # removes the caller's variables

os.environ["MLFLOW_TRACKING_URI"], os.environ["DVC_ROOT"] = sys.argv[5:]
from lstm_lm.tracking import promotion, registry, store
from lstm_lm.tracking.logged_model import DIGEST_TAG
from lstm_lm.tracking.run import create_run

me, count, rounds, meeting = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
client = store.connect(SETTINGS.tracking)
run_id = create_run(client, SETTINGS)
for number in range(rounds):
    name, metric = f"model-{number}", 10.0 + (me + number) % count  # in each round, another process has the best model
    tags = registry.ModelToLog("", "", name, True, metric, "the test text").tags(run_id) | {DIGEST_TAG: f"{number} {me}"}
    model_id = log_small_model(client, tags)
    (meeting / f"{number}-{me}").touch()
    while len(list(meeting.glob(f"{number}-*"))) < count:
        time.sleep(0.01)
    version, _ = registry.register(client, name, model_id, tags)
    promotion.settle(client, name, checked=version)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with MlflowServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(params=["server", "local"])
def address(request: pytest.FixtureRequest, tmp_path: Path, empty_store: Path) -> str:
    """The address of a store: of a server, or of a SQLite file that several processes open."""
    if request.param == "server":
        return str(request.getfixturevalue("server").address)
    shutil.copy(empty_store, tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_pipelines_that_finish_at_once_leave_the_alias_on_the_best_version(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    variables = environment(PYTHONPATH=f"{PROJECT / 'src'}:{PROJECT / 'tests'}")
    processes = []
    for me in range(count):
        arguments = [str(me), str(count), str(ROUNDS), str(meeting), address, str(tmp_path)]
        processes.append(subprocess.Popen([sys.executable, "-c", REGISTER, *arguments], env=variables, stderr=subprocess.PIPE, text=True))
    while any(process.poll() is None for process in processes):
        if any(process.poll() for process in processes):  # the others wait for the one that failed
            for process in processes:
                process.kill()
        time.sleep(0.1)
    printed = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, printed
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    client = store.connect(SETTINGS.tracking)
    for number in range(ROUNDS):
        board = versions.read(client, f"model-{number}")
        assert len(board.versions) == count
        assert board.alias is not None
        assert board.candidate(board.alias).metric == 10.0
        assert not [each for each in board.candidates if not each.is_decided]
        assert champion.NOT_CHAMPION_TAG not in board.version(board.alias).tags


class LosingProxy(FaultProxy):
    """Drops the answer of the next call whose name ends with `lost`, after the server has done what it asks for."""

    lost: str | None = None

    def fault_of(self, call: str) -> Fault | None:
        if self.lost is None or self.lost not in f"{call.partition('?')[0]} ":
            return None
        self.lost = None
        self.harmed.append(call)
        return Fault.LOST


@pytest.fixture
def proxy(server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LosingProxy]:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with LosingProxy(server.port) as running:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", running.address)
        yield running


def write_small_model(folder: Path, *_: object) -> None:
    """Write two short texts in the place of the MLflow model, which takes seconds to make."""
    (folder / mlflow_model.SAVED_MODEL_FOLDER).mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / mlflow_model.SAVED_MODEL_FOLDER / "saved_model.pb").write_text("a model")


LOSSES = {
    "creating": "/logged-models ",
    "uploading": "PUT ",
    "finalizing": "PATCH ",
    "outputs": "/outputs ",
    "name": "/registered-models/create ",
    "version": "/model-versions/create ",
    "alias": "/registered-models/alias ",
    "tags": "/model-versions/set-tag ",
}


def test_a_model_is_logged_and_registered_once_whichever_answer_is_lost(
    proxy: LosingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    monkeypatch.setattr(mlflow_model, "save", write_small_model)
    saved_model, code = tmp_path / "saved_model", tmp_path / "pyfunc.py"
    saved_model.mkdir()
    (saved_model / "saved_model.pb").write_text("a model")
    code.write_text("code")
    client = store.connect(SETTINGS.tracking)
    for name, lost in LOSSES.items():
        model = registry.ModelToLog(str(saved_model), str(code), name, True, 9.0, "t", model_card="Perplexity 9.0 per word.")
        run_id = create_run(client, SETTINGS)
        proxy.lost = lost
        with suppress(MlflowException, OSError):
            registry.log_model(client, run_id, model)
        assert proxy.lost is None, f"{name}: there was no such call"
        outcome = registry.log_model(client, run_id, model)
        assert outcome.version == versions.read(client, name).alias == 1, name
        assert registry.log_model(client, run_id, model) == replace(outcome, is_new=False), name
        [logged] = logged_model.find(client, run_id=run_id)
        assert json.loads(logged.tags[version_links.TAG]) == [{"name": name, "version": 1}], name
        assert (str(logged.status), logged.model_id) == ("READY", outcome.model_id), name
        [version] = versions.read(client, name).versions
        assert str(version.description).startswith("Perplexity 9.0 per word."), name
        assert len(client.get_run(run_id).outputs.model_outputs) == 1, name
