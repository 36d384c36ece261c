import re
import shutil
from pathlib import Path

import pytest

from conftest import COMMIT, PROJECT, change_params, copy_project, run
from lstm_lm.config import keys, loading, presets
from lstm_lm.tracking import naming

SHIPPED = loading.read(PROJECT / "params.yaml")
COOKBOOK = presets.load("cookbook", PROJECT / "presets")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the shipped params.yaml and presets, outside any repository, with a text of one file."""
    shutil.copytree(PROJECT / "presets", tmp_path / "presets")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/vocab").mkdir(parents=True)
    (tmp_path / "data/vocab/splits.json").write_text('{"train": [{"document": "tolstoy.txt", "start": 0, "stop": 9}]}')
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "default"),
        ({"train.learning_rate": 0.002}, "lr=0.002"),
        ({"model.layers": 2, "train.epochs": 1}, "layers=2 epochs=1"),
        ({"evaluate_sample.max_words": 7, "reporting.status_every": 7, "tracking.experiment": "other"}, "default"),
        (COOKBOOK, "cookbook"),
        ({**COOKBOOK, "model.hidden_size": 64}, "hidden=64 (cookbook)"),
        (
            {"model.dropout_output": 0.1, "model.layers": 3, "train.epochs": 9, "train.seed": 2},
            "seed=2 layers=3 drop_out=0.1 +1",
        ),
        ({"download.source": {"path": "data/own"}}, "default (tolstoy)"),
        ({"download.source": {"path": "data/own"}, "model.layers": 2}, "layers=2 (tolstoy)"),
        ({"download.source": {"path": "data/own"}, **COOKBOOK, "train.seed": 2}, "seed=2 (cookbook, tolstoy)"),
        ({"train.learning_rate": 0.00512345}, "lr=0.005123"),
        ({"model.ngrams": {"order": 3, "weight": "auto"}}, "ngrams=3:auto"),
        ({"model.ngrams": {"order": 3, "weight": 0.1}}, "ngrams=3:0.1"),
        ({"vocab.validation": ["a-long-name.txt"], "vocab.test": ["b"]}, 'validation=["a-long-name... test=["b"]'),
    ],
)
def test_a_run_is_named_after_what_differs_and_the_closest_recipe(changes: dict[str, object], name: str, checkout: Path) -> None:
    assert naming.run_name(loading.check(keys.with_changes(SHIPPED, changes))) == name


def test_the_recipe_default_is_params_yaml_as_shipped() -> None:
    shipped = loading.read(naming.DEFAULTS)
    assert shipped == {section: SHIPPED[section] for section in shipped}
    assert {*shipped, "evaluate_sample", "reporting", "tracking"} == {*SHIPPED}


def test_what_was_committed_does_not_change_the_name_of_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_project(tmp_path / "copy")
    monkeypatch.chdir(folder)
    change_params(folder, {"train.epochs": 9})
    assert naming.run_name(loading.load()) == "epochs=9"
    run([*COMMIT, "more epochs"], folder)
    assert naming.run_name(loading.load()) == "epochs=9"


def test_changes_are_relative_to_a_committed_recipe_that_is_far_from_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_project(tmp_path / "copy")
    monkeypatch.chdir(folder)
    change_params(
        folder, {"train.warmup_steps": 9, "model.layers": 3, "train.weight_decay": 0.5, "batching.batch_size": 8, "train.clip_norm": 2.0}
    )
    assert naming.run_name(loading.load()) == "batch=8 layers=3 wd=0.5 +2"
    run([*COMMIT, "our recipe"], folder)
    name = naming.run_name(loading.load())
    assert re.fullmatch("params-[0-9a-f]{4}", name)
    change_params(folder, {"train.learning_rate": 0.001})
    assert naming.run_name(loading.load()) == f"lr=0.001 ({name})"
    change_params(folder, {"train.learning_rate": 0.008, "vocab.unit": "char", **presets.load("char", folder / "presets")})
    assert naming.run_name(loading.load()) == f"char ({name})"


def test_a_committed_recipe_is_called_as_its_own_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_project(tmp_path / "copy")
    monkeypatch.chdir(folder)
    shutil.rmtree(folder / "data/vocab", ignore_errors=True)
    own = {"vocab.min_count": 2, "batching.batch_size": 8, "train.epochs": 5, "download.source": {"path": "data/own"}}
    change_params(folder, own)
    run([*COMMIT, "our recipe"], folder)
    assert naming.run_name(loading.load()) == "min_count=2 batch=8 epochs=5 (own text)"
    change_params(folder, {"train.learning_rate": 0.002})
    assert naming.run_name(loading.load()) == "lr=0.002 (min_count=2 batch=8 epochs=5, own text)"
    cookbook = keys.with_changes({}, presets.load("cookbook", folder / "presets"))
    change_params(folder, {**keys.flatten_sections(cookbook), "train.learning_rate": 0.003, "download.source": {"path": "data/own"}})
    run([*COMMIT, "a change to a preset"], folder)
    assert naming.run_name(loading.load()) == "min_count=2 lr=0.003 (cookbook, own text)"
    change_params(folder, {"model.hidden_size": 99, "train.clip_norm": 9.0, "train.seed": 7})
    assert naming.run_name(loading.load()) == "seed=7 hidden=99 clip=9 (min_count=2 lr=0.003 cookbook, own text)"


def test_git_tags_contain_the_commit_and_whether_there_are_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_project(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setenv("DVC_EXP_NAME", "mine")
    commit = run(["git", "rev-parse", "HEAD"], folder).stdout.strip()
    assert naming.git_tags() == {"mlflow.source.git.commit": commit, "git.dirty": "false", "dvc.experiment": "mine"}
    # Parameters are logged anyway, and the pipeline itself writes dvc.lock and reports.
    change_params(folder, {"train.epochs": 9})
    (folder / "reports/metrics.json").write_text("{}")
    assert naming.git_tags()["git.dirty"] == "false"
    (folder / "src/train.py").write_text("")
    assert naming.git_tags()["git.dirty"] == "true"


def test_there_are_no_git_tags_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert naming.git_tags() == {}


def test_the_source_of_a_run_is_what_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    assert naming.source_tags()["mlflow.source.name"] == "dvc repro"
    monkeypatch.setenv("DVC_EXP_NAME", "mine")
    assert naming.source_tags()["mlflow.source.name"] == "experiment mine"
