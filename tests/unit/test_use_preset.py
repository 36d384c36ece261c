import shutil
from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.commands.use_preset import set_values, use_preset
from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the parameters and presets of the project."""
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    shutil.copytree(PROJECT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", presets.names(PROJECT / "presets"))
def test_a_preset_changes_its_values_and_nothing_else(name: str, project: Path) -> None:
    before, text = loading.read("params.yaml"), (project / "params.yaml").read_text()
    changes = presets.load(name)
    use_preset(name)
    assert loading.read("params.yaml") == keys.with_changes(before, changes)
    changed = [
        (old, new) for old, new in zip(text.splitlines(), (project / "params.yaml").read_text().splitlines(), strict=True) if old != new
    ]
    assert len(changed) <= len(changes)
    assert all(old.partition("#")[2] == new.partition("#")[2] for old, new in changed)  # comments


def test_values_of_every_type_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a:\n  b: 1  # kept\n  c: x\n")
    values = {"a.b": None, "a.c": ["to be", 1.5, True], "a.d": {"path": "data/own"}}
    set_values(path, values)
    assert loading.read(path) == {"a": {"b": None, "c": ["to be", 1.5, True], "d": {"path": "data/own"}}}
    assert path.read_text().startswith("a:\n  b: null")
    assert "# kept\n" in path.read_text()


def test_a_preset_that_does_not_exist_changes_nothing(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(UserError, match=r"there is no presets/nonsense\.yaml"):
        use_preset("nonsense")
    (project / "presets/typo.yaml").write_text("train:\n  epochs: 0\n")
    with pytest.raises(UserError, match=r"params.yaml with presets/typo.yaml: train.epochs = 0: must be"):
        use_preset("typo")
    assert (project / "params.yaml").read_bytes() == before


def test_the_number_of_values_that_were_set_is_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "presets/short.yaml").write_text("train:\n  epochs: 77\n")
    (project / "presets/shorter.yaml").write_text("train:\n  epochs: 7\n  seed: 77\n")
    for name in ("short", "short", "shorter"):
        use_preset(name)
    assert capsys.readouterr().out.splitlines() == [
        "params.yaml: 1 value set to that of presets/short.yaml",
        "params.yaml: nothing to change",
        "params.yaml: 2 values set to those of presets/shorter.yaml",
    ]
