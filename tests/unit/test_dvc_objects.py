import json
from pathlib import Path

import pytest

from lstm_lm.io import dvc_cache, dvc_objects

FOLDER, FILE = "0" * 32 + ".dir", "1" * 32


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a folder of one file."""
    cache = tmp_path / dvc_cache.CACHE
    for digest, content in ((FOLDER, json.dumps([{"md5": FILE, "relpath": "sub/a.json"}])), (FILE, "content")):
        path = cache / digest[:2] / digest[2:]
        path.parent.mkdir(parents=True)
        path.write_text(content)
    return cache


def test_a_file_is_read_by_the_digest_of_its_folder(tmp_path: Path, cache: Path) -> None:
    assert dvc_objects.read(tmp_path, FOLDER, "sub/a.json") == b"content"
    assert dvc_objects.read(tmp_path, FOLDER, "a.json") is None
    assert dvc_objects.read(tmp_path, "2" * 32 + ".dir", "sub/a.json") is None


@pytest.mark.parametrize("listing", ["", "null", '{"a": 1}', '[{"relpath": "sub/a.json"}]', "[1]"])
def test_a_damaged_list_has_no_files(listing: str, tmp_path: Path, cache: Path) -> None:
    (cache / "00" / FOLDER[2:]).write_text(listing)
    assert dvc_objects.read(tmp_path, FOLDER, "sub/a.json") is None


def test_a_file_that_is_gone_is_none(tmp_path: Path, cache: Path) -> None:
    (cache / "11" / FILE[2:]).unlink()
    assert dvc_objects.read(tmp_path, FOLDER, "sub/a.json") is None


def test_the_cache_is_where_dvc_has_it(tmp_path: Path, cache: Path) -> None:
    (tmp_path / ".dvc/config").write_text("[cache]\n    dir = ../shared\n")
    (tmp_path / ".dvc/cache").rename(tmp_path / "shared")
    assert dvc_objects.read(tmp_path, FOLDER, "sub/a.json") == b"content"


def test_a_damaged_configuration_names_no_other_cache(tmp_path: Path, cache: Path) -> None:
    (tmp_path / ".dvc/config").write_text("[cache\n")
    assert dvc_objects.find_cache(tmp_path) == cache
