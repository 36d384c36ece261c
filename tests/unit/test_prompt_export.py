import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT
from drift_reports import logged
from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError
from lstm_lm.serving.prompts import export
from lstm_lm.text import splits

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
        "vocab.validation": ["/v.txt"],
        "vocab.test": ["/t.txt"],
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


@pytest.mark.parametrize(
    "name", ["a.txt", "[old] a.txt", "a*.txt", "a?.txt", "#1.txt", "!a.txt", "b/a.txt", "a\\b.txt", "a.txt ", "**/a.txt", "-.txt"]
)
def test_documents_that_are_held_out_are_those_and_no_others(name: str) -> None:
    others = ["a1.txt", "ab.txt", "o a.txt", "1.txt", "b/c/a.txt", "x/a.txt", "b/[old] a.txt", "ab/#1.txt", "a b.txt", "rest.txt"]
    changes = export.make_preset(SETTINGS, {"validation": [name], "test": ["rest.txt"]})["vocab"]
    found = splits._split_by_name([*others, name], changes["validation"], changes["test"])
    assert (found["validation"], found["test"]) == ([name], ["rest.txt"])


def test_prompts_and_the_key_of_the_server_are_not_in_git(tmp_path: Path) -> None:
    shutil.copy(PROJECT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    private = ["data/own/prompts.txt", "data/own/prompts-2.txt", "presets/prompts.yaml", "monitoring/prometheus/lstm_lm_api_key"]
    paths = [*private, "data/own/a.txt", "data/own/b/prompts.txt", "monitoring/prometheus/rules.yml"]
    done = subprocess.run(["git", "check-ignore", *paths], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == private


def test_notes_say_that_the_file_is_private_and_what_else_trains_on_it(project: Path) -> None:
    own: dict[str, Any] = {**SETTINGS, "download": {**SETTINGS["download"], "source": {"path": "data/own"}}}
    assert export.notes(Path("data/own/prompts.txt"), SETTINGS) == ["data/own/prompts.txt is private: Git ignores it."]
    for file in ("data/own/asked.txt", "data/own/b/prompts.txt"):
        hint, also = export.notes(Path(file), own)
        assert hint == f"{file} is private: Git does not ignore it, as it does data/own/prompts*.txt: do not commit it."
        assert also.startswith("make repro in this checkout trains on it too, because download.source is data/own")


@pytest.mark.parametrize("file", ["prompts.txt", "data/own", "data/own/prompts.md", "data/own/../prompts.txt"])
def test_another_place_is_refused(project: Path, file: str) -> None:
    with pytest.raises(UserError, match=r"must be a file in data/own, ending in .txt, such as data/own/prompts.txt"):
        export.check(Path(file))


def test_a_preset_of_the_user_is_not_replaced(project: Path) -> None:
    export.PRESET.write_text("train: {}\n")
    with pytest.raises(UserError, match=r"presets/prompts.yaml is a preset of your own, which --export would overwrite: rename it first$"):
        export.check(Path("data/own/prompts.txt"))
