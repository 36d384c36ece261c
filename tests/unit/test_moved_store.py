"""A project with a real MLflow store is moved, copied, or shares its database with another one."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lstm_lm.tracking import logged_model, moved_store, registry, store, versions
from lstm_lm.tracking.logged_model import DIGEST_TAG
from lstm_lm.tracking.run import Run, create_run
from mlflow_helpers import SETTINGS, artifact_text, log_small_model

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture
def project(tracked_project: Path, tmp_path: Path) -> Path:
    """A project folder with a run that has an artifact, and a version."""
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))
    (tmp_path / "notes.txt").write_text("logged before")
    run.log_files([tmp_path / "notes.txt"])
    tags = registry.ModelToLog("", "", "lstm_lm", True, 9.0, "t").tags(run.id) | {DIGEST_TAG: "d"}
    registry.register(client, "lstm_lm", log_small_model(client, tags), tags)
    return tracked_project


def only_run(client: "MlflowClient") -> Run:
    [run] = client.search_runs([client.get_experiment_by_name("lstm_lm").experiment_id])
    return Run(client, run.info.run_id)


def connect(project: Path, monkeypatch: pytest.MonkeyPatch) -> "MlflowClient":
    """Connect to a project's store as a new process does: MLflow remembers where a run's artifacts were."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()
    monkeypatch.setenv("DVC_ROOT", str(project))
    return store.connect(SETTINGS.tracking)


def move(project: Path, to: Path, monkeypatch: pytest.MonkeyPatch) -> "MlflowClient":
    project.rename(to)
    return connect(to, monkeypatch)


@pytest.mark.parametrize("name", ["renamed", "Bücher und Texte 100%"])
def test_after_a_move_all_artifacts_are_found_and_new_ones_lie_in_the_new_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    new = tmp_path / name
    client = move(project, new, monkeypatch)
    assert f"note: mlflow.db was in {project} before: its artifacts are those in {new} now" in capfd.readouterr().err
    run = only_run(client)
    assert artifact_text(run, "notes.txt") == "logged before"
    [model] = logged_model.find(client, "d")
    assert logged_model.is_complete(client, model)
    [version] = versions.read(client, "lstm_lm").versions
    assert versions.has_files(client, version)
    assert client.get_model_version_download_uri("lstm_lm", version.version).startswith(f"{new.as_uri()}/mlartifacts/")
    (tmp_path / "later.txt").write_text("logged later")
    run.log_files([tmp_path / "later.txt"])
    other = Run(client, create_run(client, SETTINGS))
    other.log_files([tmp_path / "later.txt"])
    assert len(list((new / "mlartifacts").rglob("later.txt"))) == 2
    assert not project.exists()
    store.connect(SETTINGS.tracking)
    assert "note" not in capfd.readouterr().err  # once

    back = move(new, project, monkeypatch)
    assert artifact_text(Run(back, run.id), "notes.txt") == "logged before"


def test_a_copy_logs_to_its_own_folder_and_the_original_stays_as_it_is(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    before = (project / "mlflow.db").read_bytes()
    client = connect(copy, monkeypatch)
    (tmp_path / "later.txt").write_text("logged later")
    only_run(client).log_files([tmp_path / "later.txt"])
    assert len(list(copy.rglob("later.txt"))) == 1
    assert not list(project.rglob("later.txt"))
    assert (project / "mlflow.db").read_bytes() == before


def test_artifacts_that_are_elsewhere_on_purpose_stay_there(tracked_project: Path, tmp_path: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    elsewhere = [(tmp_path / "disk/mlartifacts/lstm_lm").as_uri(), "s3://bucket/mlartifacts/other", (tmp_path / "disk/third").as_uri()]
    for name, location in zip(("lstm_lm", "other", "third"), elsewhere, strict=True):
        client.create_experiment(name, artifact_location=location)
    assert moved_store.correct_locations(tracked_project / "mlflow.db") == []
    assert [client.get_experiment_by_name(name).artifact_location for name in ("lstm_lm", "other", "third")] == elsewhere


def test_a_database_that_is_new_or_empty_needs_no_correction(tmp_path: Path) -> None:
    assert moved_store.correct_locations(tmp_path / "mlflow.db") == []
    (tmp_path / "mlflow.db").touch()
    assert moved_store.correct_locations(tmp_path / "mlflow.db") == []
