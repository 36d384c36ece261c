import json
from pathlib import Path
from typing import Any

import pytest

from lstm_lm import paths
from lstm_lm.text import encoded
from lstm_lm.text.preparation import prepare
from lstm_lm.tracking import datasets
from mlflow_helpers import SETTINGS

CONTENT = "the king and the queen and the fool\n" * 9
NAMES = [f"part-{i}.txt" for i in range(10)]
SPLIT = {"validation": ["part-3.txt"], "test": ["part-4.txt", "part-5.txt"]}


def described(folder: Path, monkeypatch: pytest.MonkeyPatch, names: list[str] = NAMES, **changes: Any) -> dict[str, dict[str, str]]:
    """Describe a text that the vocab stage has prepared: {context: dataset}."""
    monkeypatch.chdir(folder)
    paths.VOCAB.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(f"{name[5]} {CONTENT}" if name == "part-9.txt" else CONTENT)
    config = SETTINGS.vocab.model_copy(update={"min_count": 2, **changes})
    prepare([(name, folder / name) for name in names], config, paths.VOCAB, cleaned=True)
    return {each["context"]: each for each in datasets.describe({"path": "data/own"})}


def test_each_split_is_a_dataset_with_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(tmp_path, monkeypatch, **SPLIT)
    assert [each["name"] for each in found.values()] == [
        "own text: training (7 files)",
        "own text: validation (1 file)",
        "own text: test (2 files)",
    ]
    assert json.loads(found["test"]["profile"]) == {
        "words": "144",
        "files": "2",
        "part-4.txt": "72 words",
        "part-5.txt": "72 words",
    }
    assert found["test"]["digest"] == (encoded.digest_of_test_text(paths.VOCAB) or "")[: datasets.DIGEST_LENGTH]
    assert len({each["digest"] for each in found.values()}) == 3
    assert (found["test"]["source_type"], json.loads(found["test"]["source"])["uri"]) == ("local", "data/own")


def test_parts_of_a_file_are_named_by_their_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(tmp_path, monkeypatch, ["play.txt"], validation=0.1, test=0.1, split_by="spans", unit="char")
    assert [each["name"] for each in found.values()] == [
        "play: training (261 characters)",
        "play: validation (28 characters)",
        "play: test (28 characters)",
    ]
    assert json.loads(found["test"]["profile"])["play.txt"] == "characters 297 to 324 of 324"


def test_a_digest_changes_with_its_split_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    before = described(tmp_path / "before", monkeypatch, **SPLIT)
    monkeypatch.chdir(tmp_path)
    after = described(tmp_path / "after", monkeypatch, [*NAMES[:5], *NAMES[6:]], **{**SPLIT, "test": ["part-4.txt"]})
    assert [context for context in before if before[context]["digest"] != after[context]["digest"]] == ["test"]


def test_a_long_list_of_files_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MAX_FILES", 3)
    profile = json.loads(described(tmp_path, monkeypatch, **SPLIT)["training"]["profile"])
    assert profile["files"] == "7"
    assert list(profile)[2:] == ["part-0.txt", "part-1.txt", "part-2.txt", "further files"]
    assert profile["further files"] == "4, in the artifact splits.json"


def test_a_folder_without_the_text_has_no_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described(tmp_path, monkeypatch, **SPLIT)
    (paths.VOCAB / "text.npy").unlink()
    assert datasets.describe({"path": "data/own"}) == []
