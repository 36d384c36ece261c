import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lstm_lm.config.schema import UrlSource
from lstm_lm.errors import UserError
from lstm_lm.io.extras import install_command
from lstm_lm.text.sources import remote
from lstm_lm.text.sources.fetching import fetch
from s3_server import S3, s3_server

pytestmark = pytest.mark.slow
TEXTS = {"books/b.md": b"# Two\n", "books/a/one.txt": b"one\n", "books/.hidden": b"no\n", "notes.txt": b"notes\n"}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        server.client().create_bucket(Bucket="texts")
        for key, body in {**TEXTS, "books/": b""}.items():
            server.client().put_object(Bucket="texts", Key=key, Body=body)
        yield server


@pytest.fixture(autouse=True)
def store(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the server, and an empty project folder."""
    monkeypatch.chdir(tmp_path)
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)


def read(url: str, sha256: str | None = None) -> list[tuple[str, str]]:
    try:
        return [(document.name, document.text) for document in fetch(UrlSource(url=url, sha256=sha256), "utf-8")]
    finally:
        assert not list(Path("data").glob("*")), "temporary files are left"


def failure(url: str, sha256: str | None = None) -> str:
    with pytest.raises(UserError) as error:
        read(url, sha256)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_a_folder_and_a_pattern_are_read() -> None:
    one, two, notes = ("a/one.txt", "one\n"), ("b.txt", "Two\n\n"), ("notes.txt", "notes\n")
    assert read("s3://texts/notes.txt") == [notes]
    assert read("s3://texts/books") == read("s3://texts/books/") == [one, two]
    assert read("s3://texts/books/*.md") == [two]
    assert read("s3://texts/**/*.txt") == [("books/a/one.txt", "one\n"), notes]


def test_a_digest_pins_a_file_or_all_files_of_a_folder(s3: S3) -> None:
    assert read("s3://texts/notes.txt", hashlib.sha256(b"notes\n").hexdigest())
    assert "notes.txt: sha256 is" in failure("s3://texts/notes.txt", "0" * 64)
    listing = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in (("a/one.txt", b"one\n"), ("b.md", b"# Two\n")))
    digest = hashlib.sha256(listing.encode()).hexdigest()
    assert len(read("s3://texts/books", digest)) == 2
    s3.client().put_object(Bucket="texts", Key="books/new.txt", Body=b"new")
    assert "books: 3 files: sha256 is" in failure("s3://texts/books", digest)
    s3.client().delete_object(Bucket="texts", Key="books/new.txt")


def test_what_is_missing_is_named() -> None:
    assert failure("s3://texts/none.txt").startswith("params.yaml: download.source.url: s3://texts/none.txt: there is no such")
    assert "s3://nothing/a: there is no such bucket" in failure("s3://nothing/a")
    assert "s3://texts/*.none: there is no such file" in failure("s3://texts/*.none")
    assert "s3://No_Bucket!/a: cannot be read: Parameter validation failed" in failure("s3://No_Bucket!/a")


def test_a_store_that_cannot_be_used_is_one_line_in_bounded_time(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port}")
    message = failure("s3://texts/notes.txt")
    assert "cannot be read: Could not connect to the endpoint URL" in message
    assert "the environment may set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in message
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "cannot be read: Unable to locate credentials" in failure("s3://texts/notes.txt")


def test_without_the_packages_the_command_that_adds_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("adlfs", "gcsfs"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(str(tmp_path))
    for scheme, extra in (("gs", "gs"), ("az", "az"), ("abfs", "az")):
        assert failure(f"{scheme}://texts/a.txt").endswith(f"needs packages that are not installed: run {install_command(extra)}")


def test_a_large_object_is_not_held_in_memory(s3: S3) -> None:
    body = b"word " * 8_000_000
    s3.client().put_object(Bucket="texts", Key="large.txt", Body=body)
    script = """
import resource
from pathlib import Path
from lstm_lm.config.schema import UrlSource
from lstm_lm.text.sources.remote import read_remote
before = None
for name in ("notes.txt", "large.txt"):
    for file in read_remote(UrlSource(url=f"s3://texts/{name}"), {}):
        with file.open() as stream:
            size = sum(map(len, iter(lambda: stream.read(65536), b"")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = before or peak
print(size, (peak - before) // 1024)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    size, grown = map(int, done.stdout.split())
    assert size == len(body)
    assert grown < 35, f"{grown} MiB"  # blocks of 8 MiB, in a few copies


def test_too_large_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "Limits", lambda: remote_limits)
    from lstm_lm.io.downloads import Limits

    remote_limits = Limits(bytes=5)
    assert "is larger than 5 bytes" in failure("s3://texts/notes.txt")
