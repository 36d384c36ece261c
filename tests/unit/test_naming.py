import shutil
from pathlib import Path

import pytest

from conftest import PROJECT, change_params, copy_project, run
from lstm_lm.config import keys, loading, presets
from lstm_lm.tracking import naming

COOKBOOK = presets.load("cookbook", PROJECT / "presets")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "default"),
        ({"train.learning_rate": 0.002}, "default learning_rate=0.002"),
        ({"model.layers": 2, "train.epochs": 1}, "default layers=2 epochs=1"),
        ({"evaluate_sample.max_words": 7, "reporting.status_every": 7, "tracking.experiment": "other"}, "default"),
        (COOKBOOK, "cookbook"),
        ({**COOKBOOK, "model.hidden_size": 64}, "cookbook hidden_size=64"),
        (
            {"model.dropout_output": 0.1, "model.layers": 3, "train.epochs": 9, "train.seed": 2},
            "default layers=3 dropout_output=0.1 seed=2 and 1 more",
        ),
        ({"download.source": {"path": "data/own"}}, 'default source={"path": "data/own"}'),
    ],
)
def test_a_run_is_named_after_its_preset_and_changes(
    changes: dict[str, object], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    shutil.copytree(PROJECT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    assert naming.run_name(loading.check(keys.with_changes(loading.read("params.yaml"), changes))) == name


def test_changes_are_relative_to_the_last_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_project(tmp_path / "copy")
    monkeypatch.chdir(folder)
    change_params(folder, {"train.epochs": 9})
    assert naming.run_name(loading.load()) == "default epochs=9"
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qam", "more epochs"], folder)
    assert naming.run_name(loading.load()) == "default"


def test_long_values_are_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    path = "data/a/folder/with/a/very/long/name"
    settings = loading.check(keys.with_changes(loading.read("params.yaml"), {"download.source": {"path": path}}))
    assert naming.run_name(settings).endswith('source={"path": "data/a/folder/wit...')


def test_git_tags_contain_the_commit_and_whether_there_are_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_project(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setenv("DVC_EXP_NAME", "mine")
    commit = run(["git", "rev-parse", "HEAD"], folder).stdout.strip()
    assert naming.git_tags() == {"mlflow.source.git.commit": commit, "git.dirty": "false", "dvc.experiment": "mine"}
    change_params(folder, {"train.epochs": 9})
    assert naming.git_tags()["git.dirty"] == "true"


def test_there_are_no_git_tags_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert naming.git_tags() == {}
