"""scripts/explanation_pictures.py: the numbers in the pictures, and that each can be drawn."""

import importlib.util
import itertools
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from conftest import PROJECT

PAGES = PROJECT / "docs/explanation"


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("explanation_pictures", PROJECT / "scripts/explanation_pictures.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("is_continuous", [False, True])
def test_every_text_gets_its_steps_in_a_row_of_its_own_after_it_arrived(pictures: ModuleType, is_continuous: bool) -> None:
    placed = pictures.serve_together(pictures.LENGTHS, pictures.ARRIVALS, 3, is_continuous)
    assert [stop - start for _, start, stop in placed] == pictures.LENGTHS
    assert all(start >= arrival for (_, start, _), arrival in zip(placed, pictures.ARRIVALS, strict=True))
    for slot in range(3):
        spans = sorted((start, stop) for row, start, stop in placed if row == slot)
        assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(spans))


def test_the_page_names_the_steps_that_the_picture_shows(pictures: ModuleType) -> None:
    text = (PAGES / "continuous-batching.md").read_text(encoding="utf-8")
    for is_continuous, phrase in (
        (False, r"the other takes (\d+) steps and uses (\d+)%"),
        (True, r"continuous batching takes (\d+) steps and uses (\d+)%"),
    ):
        placed = pictures.serve_together(pictures.LENGTHS, pictures.ARRIVALS, 3, is_continuous)
        steps = max(stop for _, _, stop in placed)
        found = re.search(phrase, text)
        assert found
        assert [int(found[1]), int(found[2])] == [steps, round(100 * sum(pictures.LENGTHS) / (3 * steps))]


def test_every_picture_is_kept_and_shown(pictures: ModuleType) -> None:
    kept = {path.stem for path in PAGES.glob("*.png")}
    shown = {name for page in PAGES.glob("*.md") for name in re.findall(r"\]\((\w+)\.png\)", page.read_text(encoding="utf-8"))}
    assert kept == shown == set(pictures.PICTURES)


@pytest.mark.slow
def test_all_pictures_can_be_drawn(
    pictures: ModuleType, finished_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads((finished_project / "reports/details.json").read_text())["frequency_bands"]["test"]
    monkeypatch.setattr(pictures, "PROJECT", finished_project)
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["explanation_pictures.py"])
    assert pictures.main() == 0
    assert {path.stem for path in tmp_path.glob("*.png")} == set(pictures.PICTURES)


def test_an_unknown_name_is_reported_in_one_line(
    pictures: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["explanation_pictures.py", "nonsense"])
    assert pictures.main() == 1
    assert capsys.readouterr().err == "error: no such picture: nonsense: choose from batching, softmax, perplexity, continuous\n"
