"""scripts/docs_pictures.py: what it makes is what the pages show, and each picture is small."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from conftest import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_pictures", PROJECT / "scripts/docs_pictures.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_kept_shown_and_small(pictures: ModuleType) -> None:
    kept = {path.stem: path for path in (PROJECT / "docs").glob("*.png")}
    link = re.compile(r"!\[[^\]]+\]\((\S+\.png)\)")
    linked = {(page.parent / name).resolve() for page in PAGES for name in link.findall(page.read_text("utf-8"))}
    shown = {path.stem for path in linked if path.parent == PROJECT / "docs"}
    drawn_by_benchmarks = {"records"}
    assert kept.keys() == shown == set(pictures.PICTURES) | drawn_by_benchmarks
    for path in kept.values():
        assert path.stat().st_size <= pictures.MAX_BYTES, path
        assert Image.open(path).width <= pictures.WIDTH, path


@pytest.mark.slow
def test_a_picture_gets_the_colors_that_fit(pictures: ModuleType, tmp_path: Path) -> None:
    few = Image.new("RGB", (200, 100), "navy")
    few.putpixel((3, 4), (250, 10, 20))
    size = pictures.save(few, tmp_path / "few.png")
    saved = Image.open(tmp_path / "few.png")
    assert (tmp_path / "few.png").stat().st_size == size < 1000
    assert saved.convert("RGB").tobytes() == few.tobytes()
    noise = np.random.default_rng(0).integers(0, 256, (250, 400, 3), np.uint8)
    assert pictures.save(Image.fromarray(noise), tmp_path / "noise.png") <= pictures.MAX_BYTES
    large = Image.fromarray(np.random.default_rng(1).integers(0, 256, (1000, 1600, 3), np.uint8))
    with pytest.raises(SystemExit, match=r"error: large.png has more than 80,000 bytes"):
        pictures.save(large, tmp_path / "large.png")
    assert not (tmp_path / "large.png").exists()


def test_an_unknown_name_is_reported_in_one_line(
    pictures: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["docs_pictures.py", "nonsense"])
    assert pictures.main() == 1
    names = ", ".join(pictures.PICTURES)
    assert capsys.readouterr().err == f"error: no such picture: nonsense: choose from {names}\n"
