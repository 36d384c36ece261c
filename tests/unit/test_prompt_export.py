import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT
from drift_reports import logged
from lstm_lm.config import keys, loading, presets
from lstm_lm.config.schema import Params
from lstm_lm.errors import UserError
from lstm_lm.serving.prompts import export
from lstm_lm.text import splits
from lstm_lm.text.sources.fetching import fetch

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
    file = Path("data/own/with-prompts/prompts.txt")
    Path("data/own").mkdir()
    Path("data/own/readme.txt").write_text("not of this text")
    export.check(file, SETTINGS)
    exported = export.write(file, logged(["thou art ", "the king", "thou art", "  "]), SETTINGS)
    assert exported == export.Exported(2, 4)
    assert documents(SETTINGS) == {
        "a.txt": "text of a.txt",
        "b/c.txt": "text of b/c.txt",
        "prompts.txt": "thou art\nthe king\n",
        "t.txt": "text of t.txt",
        "v.txt": "text of v.txt",
    }
    changes = presets.load("prompts")
    assert changes == {
        "download.source": {"path": "data/own/with-prompts"},
        "vocab.validation": ["/v.txt"],
        "vocab.test": ["/t.txt"],
        "train.init_from": "models:/lstm_lm@champion",
        "train.learning_rate": 0.0008,
    }
    loading.check(keys.with_changes(SETTINGS, changes), "params.yaml with the preset")
    Path("data/raw/a.txt").write_text("another text")
    export.check(file, SETTINGS)  # its own preset and file may be replaced
    assert export.write(file, logged(["thou"]), SETTINGS).documents == 1  # the others are there already
    assert (documents(SETTINGS)["a.txt"], documents(SETTINGS)["prompts.txt"]) == ("another text", "thou\n")


def own(path: str, **changes: Any) -> dict[str, Any]:
    """The settings with a text of one's own."""
    return {**SETTINGS, "download": {**SETTINGS["download"], "source": {"path": path}, **changes}}


def documents(settings: dict[str, Any]) -> dict[str, str]:
    """The text that a training with the preset would have."""
    download = Params.model_validate(keys.with_changes(settings, presets.load("prompts"))).download
    return {document.name: document.text for document in fetch(download.source, download.encoding, download.clean)}


@pytest.mark.parametrize("path", ["data/own", "./data/own", "data/own/x", "data/own/with-prompts"])
def test_nothing_is_copied_beside_a_text_of_ones_own(project: Path, path: str) -> None:
    folder = project / path
    for name in ("a.txt", "b/c.md", "v.txt", "t.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"text of {name}")
    file = Path(path) / "prompts.txt"
    export.check(file, own(path))
    assert export.write(file, logged(["thou"]), own(path)) == export.Exported(1, 0)
    assert presets.load("prompts")["download.source"] == {"path": path}
    assert presets.load("prompts")["vocab.test"] == ["/t.txt"]
    assert list(documents(own(path))) == ["a.txt", "b/c.txt", "prompts.txt", "t.txt", "v.txt"]


def test_prompts_go_to_the_folder_of_the_text(project: Path) -> None:
    (project / "data/own/x").mkdir(parents=True)
    (project / "data/own/a.txt").write_text("one file")
    message = r"^--export data/own/prompts.txt: must be a file in data/own/x, ending in .txt, such as data/own/x/prompts.txt$"
    with pytest.raises(UserError, match=message):
        export.check(Path("data/own/prompts.txt"), own("data/own/x"))
    for path in ("data/own/a.txt", "data/own/nothing"):
        message = rf"^params.yaml: download.source.path: {path}: must be a folder for --export, which adds a file: move the text into one$"
        with pytest.raises(UserError, match=message):
            export.check(Path("data/own/prompts.txt"), own(path))


def test_ends_of_documents_stay_held_out(project: Path) -> None:
    write_splits(project, {"train": ["a.txt"], "validation": ["a.txt"], "test": ["a.txt"]})
    (project / "data/own").mkdir()
    export.write(Path("data/own/prompts.txt"), logged(["thou"]), own("data/own"))
    changes = {key: value for key, value in presets.load("prompts").items() if key.startswith("vocab.")}
    assert changes == {"vocab.split_by": "spans"}  # auto would hold out whole documents from a certain number on


@pytest.mark.parametrize("source", [SETTINGS["download"]["source"], {"path": "data/own"}])
def test_prompts_are_read_as_they_were_whatever_the_encoding_of_the_text(project: Path, source: dict[str, str]) -> None:
    settings = own("data/own", source=source, encoding="latin-1")
    (project / "data/own").mkdir()
    (project / "data/own/a.txt").write_text("né", "latin-1")
    (project / "data/raw/a.txt").write_text("né", "utf-8")
    export.write(export.folder_of(settings) / "prompts.txt", logged(["thé"]), settings)
    found = documents(settings)
    assert (found["a.txt"], found["prompts.txt"]) == ("né", "thé\n")


def test_no_document_is_replaced(project: Path) -> None:
    (project / "data/own").mkdir()
    (project / "data/own/mine.txt").write_text("my text")
    with pytest.raises(UserError, match=r"^--export data/own/mine.txt: already exists, and is not what the last --export wrote: choose"):
        export.check(Path("data/own/mine.txt"), own("data/own"))
    for file, settings in (("data/own/t.txt", own("data/own")), ("data/own/with-prompts/a.txt", SETTINGS)):
        with pytest.raises(UserError, match=rf"^--export {file}: \w.txt is a document of the text already: choose another name$"):
            export.check(Path(file), settings)


def test_the_file_of_the_last_export_is_replaced_however_its_path_is_written(project: Path) -> None:
    (project / "data/own").mkdir()
    settings = own("data/own")
    export.write(Path("data/own/prompts.txt"), logged(["thou"]), settings)
    for path in (Path("data/own/prompts.txt").resolve(), Path("data/../data/own/prompts.txt")):
        export.check(path, settings)
    preset = project / "presets/prompts.yaml"
    preset.write_text(preset.read_text().replace(export.HEADER, "# Made by `python src/cli.py drift --export`: as it was once."))
    export.check(Path("data/own/prompts.txt"), settings)
    preset.write_text("train: {epochs: 1}\n")
    with pytest.raises(UserError, match="is a preset of your own"):
        export.check(Path("data/own/prompts.txt"), settings)


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
    private = ["data/own/prompts.txt", "data/own/prompts-2.txt", "data/own/with-prompts/a/b.txt", "presets/prompts.yaml"]
    private += ["monitoring/prometheus/lstm_lm_api_key"]
    paths = [*private, "data/own/a.txt", "data/own/b/prompts.txt", "monitoring/prometheus/rules.yml"]
    done = subprocess.run(["git", "check-ignore", *paths], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == private


def test_notes_say_that_the_file_is_private_and_what_else_trains_on_it(project: Path) -> None:
    file = Path("data/own/with-prompts/prompts.txt")
    export.write(file, logged(["thou"]), SETTINGS)
    note = "data/own/with-prompts/prompts.txt is private: Git ignores it."
    assert export.notes(file, SETTINGS) == [note]
    for name in ("asked.txt", ".hidden", "d/old.txt"):
        (file.parent / name).parent.mkdir(exist_ok=True)
        (file.parent / name).touch()
    also = "data/own/with-prompts also has asked.txt, d/old.txt: remove what the model should not be trained on."
    assert export.notes(file, SETTINGS) == [note, also]
    assert export.notes(Path("data/own/prompts.txt"), own("data/own"))[0] == "data/own/prompts.txt is private: Git ignores it."
    for name in ("data/own/asked.txt", "data/own/b/prompts.txt"):
        hint, also = export.notes(Path(name), own("./data/own"))
        assert hint == f"{name} is private: Git does not ignore it, as it does data/own/prompts*.txt: do not commit it."
        assert also.startswith("make repro in this checkout trains on it too, because download.source is data/own")


@pytest.mark.parametrize(
    "file",
    [
        "prompts.txt",
        "data/own/prompts.txt",
        "data/own/with-prompts",
        "data/own/with-prompts/prompts.md",
        "data/own/with-prompts/../prompts.txt",
        "data/own/with-prompts/.prompts.txt",
    ],
)
def test_another_place_is_refused(project: Path, file: str) -> None:
    expected = r"must be a file in data/own/with-prompts, ending in .txt, such as data/own/with-prompts/prompts.txt$"
    with pytest.raises(UserError, match=expected):
        export.check(Path(file), SETTINGS)


def test_a_preset_of_the_user_is_not_replaced(project: Path) -> None:
    export.PRESET.write_text("train: {}\n")
    with pytest.raises(UserError, match=r"presets/prompts.yaml is a preset of your own, which --export would overwrite: rename it first$"):
        export.check(Path("data/own/with-prompts/prompts.txt"), SETTINGS)
