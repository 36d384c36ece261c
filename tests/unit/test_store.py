import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import PROJECT, environment
from lstm_lm.errors import UserError
from lstm_lm.tracking import store
from lstm_lm.tracking.views import catalog
from mlflow_helpers import SETTINGS


@pytest.mark.parametrize("address", ["sqlite:///{}/file/mlflow.db", "nonsense+driver://x/y"])
def test_a_database_that_cannot_be_used_is_a_one_line_error(address: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    settings = SETTINGS.tracking.model_copy(update={"uri": address.format(tmp_path)})
    with pytest.raises(UserError, match=r"cannot be used: .*tracking\.uri") as error:
        store.connect(settings)
    assert "\n" not in str(error.value)


def test_an_unknown_kind_of_store_is_a_one_line_error() -> None:
    settings = SETTINGS.tracking.model_copy(update={"uri": "nonsense://x"})
    with pytest.raises(UserError, match=r"the tracking store nonsense://x cannot be used: .*tracking\.uri"):
        store.connect(settings)


def test_a_server_that_is_down_is_reported_within_seconds(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    began = time.monotonic()
    with pytest.raises(UserError, match=f"no MLflow server answers at http://127.0.0.1:{free_port}"):
        store.connect(SETTINGS.tracking)
    assert time.monotonic() - began < 10


def test_the_experiment_has_views_that_its_user_may_change(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    experiment = store.experiment_id(client, SETTINGS.tracking)
    tags = client.get_experiment(experiment).tags
    assert {view.tag for view in catalog.VIEWS} <= set(tags)
    for _, address in catalog.links(experiment, SETTINGS.tracking.experiment):
        assert address in tags["mlflow.note.content"]
    of_user = {catalog.COMPARISON.tag: "mine", "mlflow.sharedViewState.a1": "another view", "mlflow.note.content": "mine too"}
    # As an earlier version of this project wrote it.
    old = json.dumps({"name": "Compare trainings", "createdAt": 1, "updatedAt": 1, "state": "{}"})
    for name, value in {**of_user, catalog.LEADERBOARD.tag: old}.items():
        client.set_experiment_tag(experiment, name, value)
    assert store.experiment_id(client, SETTINGS.tracking) == experiment
    tags = client.get_experiment(experiment).tags
    assert {name: tags[name] for name in of_user} == of_user
    assert json.loads(json.loads(tags[catalog.LEADERBOARD.tag])["state"]) == catalog.LEADERBOARD.state
    writes: list[object] = []
    client.set_experiment_tag = lambda *arguments: writes.append(arguments)
    assert store.experiment_id(client, SETTINGS.tracking) == experiment
    assert writes == []


@pytest.mark.parametrize(
    "earlier",
    [
        "[Compare the trainings: curves, and parameters that differ](#/experiments/1/runs?viewStateShareKey=compare&compareRunsMode=CHART)",
        "[Leaderboard](#/experiments/1/runs?viewStateShareKey=a) · [Compare trainings](#/experiments/1/runs?viewStateShareKey=b)",
        "LSTM language models, as we put it last year. [Leaderboard](#/experiments/1/runs?viewStateShareKey=a)",
    ],
)
def test_a_description_of_an_earlier_version_is_replaced(tracked_project: Path, earlier: str) -> None:
    client = store.connect(SETTINGS.tracking)
    experiment = store.experiment_id(client, SETTINGS.tracking)
    client.set_experiment_tag(experiment, "mlflow.note.content", earlier)
    store.experiment_id(client, SETTINGS.tracking)
    description = client.get_experiment(experiment).tags["mlflow.note.content"]
    assert description == catalog.description(experiment, SETTINGS.tracking.experiment)
    assert re.match(r"LSTM language models, lowest test perplexity first", description)  # a page that cuts it shows no Markdown


def test_a_deleted_experiment_is_a_one_line_error(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    client.delete_experiment(store.experiment_id(client, SETTINGS.tracking))
    with pytest.raises(UserError, match=r"tracking\.experiment.*deleted in the tracking store") as error:
        store.experiment_id(client, SETTINGS.tracking)
    assert "\n" not in str(error.value)


def test_another_registry_is_ignored_with_a_note(
    tracked_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:1")  # nothing answers there
    client = store.connect(SETTINGS.tracking)
    printed = " ".join("".join(capsys.readouterr()).split())
    assert "MLFLOW_REGISTRY_URI is ignored: this project's models are registered in the tracking store" in printed
    assert client.search_registered_models() == []


def test_importing_the_package_imports_neither_mlflow_nor_tensorflow() -> None:
    names = {path.stem for path in (PROJECT / "src/lstm_lm/tracking").glob("[a-z]*.py")}
    modules = ", ".join(names - {"system_metrics"})  # it extends a class of MLflow: a training imports it when it starts its thread
    code = f"import sys; from lstm_lm.tracking import {modules}; sys.exit('mlflow' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT / "src", env=environment(), check=False).returncode == 0


@pytest.mark.slow
def test_processes_that_use_a_new_store_at_once_create_it_once(tmp_path: Path) -> None:
    code = """
import json, sys
from lstm_lm.config import loading
from lstm_lm.tracking import store
from lstm_lm.tracking.views import catalog
from lstm_lm.tracking.run import create_run
import mlflow
settings = loading.load(sys.argv[1])
client = store.connect(settings.tracking)
create_run(client, settings)
print(json.dumps({each.name: each.artifact_location for each in client.search_experiments()}))
"""
    processes = []
    for name in "abc":
        (tmp_path / name).mkdir()  # each in an isolated copy, with temporary files of its own
        own = environment(DVC_ROOT=str(tmp_path), TMPDIR=str(tmp_path / name), PYTHONPATH=str(PROJECT / "src"))
        command = [sys.executable, "-c", code, str(PROJECT / "params.yaml")]
        processes.append(subprocess.Popen(command, cwd=tmp_path / name, env=own, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        locations = json.loads(output)
        assert locations == {"lstm_lm": (tmp_path / "mlartifacts/lstm_lm").as_uri(), "Default": (tmp_path / "mlruns/0").as_uri()}


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a#b", "a b", "é"])
def test_the_store_lies_in_the_project_whatever_its_folder_is_called(
    name: str, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / name
    root.mkdir()
    (root / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("DVC_ROOT", str(root))
    client = store.connect(SETTINGS.tracking)
    store.try_artifacts(client, client.get_experiment(store.experiment_id(client, SETTINGS.tracking)).artifact_location)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (root / "mlartifacts/lstm_lm").is_dir()
