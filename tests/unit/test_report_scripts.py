"""The JavaScript of the report."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import vl_convert

from lstm_lm.ui.report import scripts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project in which nothing is bundled yet, and a bundler that returns what would end a script element."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda snippet, vl_version: f"'</script><!--'; {snippet}")
    scripts.bundle.cache_clear()
    yield tmp_path
    scripts.bundle.cache_clear()


def test_nothing_in_the_script_ends_its_element(folder: Path) -> None:
    script = scripts.script()
    assert "</script" not in script
    assert "<!--" not in script
    assert scripts.SNIPPET in script


def test_the_libraries_are_bundled_once_and_a_torn_file_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / scripts.CACHE).mkdir(parents=True)
    first = scripts.bundle()
    (cached,) = (folder / scripts.CACHE).iterdir()
    scripts.bundle.cache_clear()
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda snippet, vl_version: "again")
    assert scripts.bundle() == first
    cached.write_text(first[:10], encoding="utf-8")
    scripts.bundle.cache_clear()
    assert scripts.bundle().startswith("again")


def test_vl_convert_has_the_version_of_vega_lite_that_the_charts_are_written_for() -> None:
    assert scripts.vega_lite_version() in vl_convert.get_vegalite_versions()
