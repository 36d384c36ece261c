import json
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT
from drift_reports import logged
from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError
from lstm_lm.serving.prompts import export

SETTINGS = loading.load(PROJECT / "params.yaml").model_dump()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose text is two documents and two held-out ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets").mkdir()
    for name in ("a.txt", "b/c.txt", "v.txt", "t.txt"):
        path = tmp_path / "data/raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    (tmp_path / "data/raw/source.json").write_text("{}")
    write_splits(tmp_path, {"train": ["a.txt", "b/c.txt"], "validation": ["v.txt"], "test": ["t.txt"]})
    return tmp_path


def write_splits(folder: Path, documents: dict[str, list[str]]) -> None:
    (folder / "data/vocab").mkdir(exist_ok=True)
    spans = {name: [{"document": each, "start": 0, "stop": 9} for each in listed] for name, listed in documents.items()}
    (folder / "data/vocab/splits.json").write_text(json.dumps(spans))


def test_prompts_become_a_document_beside_the_text(project: Path) -> None:
    file = Path("data/own/prompts.txt")
    export.check(file)
    exported = export.write(file, logged(["thou art ", "the king", "thou art", "  "]), SETTINGS)
    assert exported == export.Exported(2, 4)
    assert file.read_text() == "thou art\nthe king\n"
    assert Path("data/own/b/c.txt").read_text() == "text of b/c.txt"
    assert not Path("data/own/source.json").exists()
    changes = presets.load("prompts")
    assert changes == {
        "download.source": {"path": "data/own"},
        "vocab.validation": ["v.txt"],
        "vocab.test": ["t.txt"],
        "train.init_from": "models:/lstm_lm@champion",
        "train.learning_rate": 0.0008,
    }
    loading.check(keys.with_changes(SETTINGS, changes), "params.yaml with the preset")
    export.check(file)  # its own preset may be replaced
    assert export.write(file, logged(["thou"]), SETTINGS).documents == 0  # they are there already


def test_a_text_of_ones_own_is_not_copied_and_ends_of_documents_stay_held_out(project: Path) -> None:
    write_splits(project, {"train": ["a.txt"], "validation": ["a.txt"], "test": ["a.txt"]})
    own: dict[str, Any] = {**SETTINGS, "download": {**SETTINGS["download"], "source": {"path": "data/own"}}}
    assert export.write(Path("data/own/prompts.txt"), logged(["thou"]), own).documents == 0
    assert not [key for key in presets.load("prompts") if key.startswith("vocab.")]


@pytest.mark.parametrize("file", ["prompts.txt", "data/own", "data/own/prompts.md", "data/own/../prompts.txt"])
def test_another_place_is_refused(project: Path, file: str) -> None:
    with pytest.raises(UserError, match=r"must be a file in data/own, ending in .txt, such as data/own/prompts.txt"):
        export.check(Path(file))


def test_a_preset_of_the_user_is_not_replaced(project: Path) -> None:
    export.PRESET.write_text("train: {}\n")
    with pytest.raises(UserError, match=r"presets/prompts.yaml is a preset of your own, which --export would replace: rename it"):
        export.check(Path("data/own/prompts.txt"))
