"""The stage download with a source that fails in the middle: data/raw stays as it was."""

from __future__ import annotations

import io
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import PROJECT, change_params, digests, environment, run
from faulty_server import FaultyServer, drip, faulty_server, respond

pytestmark = pytest.mark.slow
STAGE = [sys.executable, str(PROJECT / "src/download.py")]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, server: FaultyServer) -> Path:
    """A project whose stage download has run once."""
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    point_to(tmp_path, server.put("/old.txt", respond(b"old words\n")))
    run(STAGE, tmp_path)
    assert (tmp_path / "data/raw/old.txt").read_text() == "old words\n"
    return tmp_path


def point_to(folder: Path, url: str) -> None:
    change_params(folder, {"download.source": {"url": url}})


def check_unchanged(folder: Path, before: dict[str, str]) -> None:
    assert digests(folder / "data") == before
    assert [path.name for path in (folder / "data").iterdir()] == ["raw"]


def start_stage(folder: Path, prepare: Callable[[], object]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        STAGE,
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=prepare,  # noqa: PLW1509 (no threads are forked)
    )


def test_ctrl_c_in_the_middle(folder: Path, server: FaultyServer) -> None:
    before = digests(folder / "data")
    point_to(folder, server.put("/new.txt", drip(b"new words\n" * 99, every=0.1)))
    stage = start_stage(folder, lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    while len(server.requests) < 2 or len(list((folder / "data").glob(".raw-*/download"))) == 0:
        assert stage.poll() is None, stage.communicate()
    stage.send_signal(signal.SIGINT)
    output, _ = stage.communicate(timeout=30)
    assert stage.returncode == 130
    assert "Traceback" not in output
    check_unchanged(folder, before)


def test_a_killed_download_leaves_nothing_after_the_next_one(folder: Path, server: FaultyServer) -> None:
    before = digests(folder / "data")
    point_to(folder, server.put("/new.txt", drip(b"new words\n" * 99, every=0.1)))
    stage = start_stage(folder, lambda: None)
    while len(list((folder / "data").glob(".raw-*/download"))) == 0:
        assert stage.poll() is None, stage.communicate()
    stage.kill()
    stage.communicate(timeout=30)
    assert digests(folder / "data/raw") == {name.removeprefix("raw/"): digest for name, digest in before.items()}
    point_to(folder, f"{server.url}/old.txt")
    run(STAGE, folder)
    check_unchanged(folder, before)


def test_a_full_disk_in_the_middle(folder: Path, server: FaultyServer) -> None:
    before = digests(folder / "data")
    point_to(folder, server.put("/new.txt", respond(b"new words\n" * 100_000)))
    # The kernel refuses to make any file larger, as on a full disk.
    stage = start_stage(folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)))
    output, _ = stage.communicate(timeout=60)
    assert stage.returncode == 1
    assert output.startswith("error: File too large: free some disk space at")
    assert output.count("\n") == 1
    check_unchanged(folder, before)


def zip_file(lie: int = 0, **members: str) -> bytes:
    """A zip archive. lie: by how much it understates the size of each member."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
        for member in archive.infolist():
            member.file_size -= lie
    return content.getvalue()


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (zip_file(**{"../../outside.txt": "words\n"}), "leads out of the folder"),
        (zip_file(**{"/tmp/outside.txt": "words\n"}), "leads out of the folder"),
        (zip_file(lie=900_000, **{"a.txt": "words\n" * 200_000}), "damaged"),
        (zip_file(**{"a.txt": "words\n"})[:-30], "damaged or incomplete"),
        (b"<!DOCTYPE html><html><body>log in</body></html>", "damaged or incomplete"),
    ],
    ids=["member above the folder", "member with an absolute path", "understated size", "cut off", "web page"],
)
def test_an_archive_that_is_not_what_it_says(folder: Path, server: FaultyServer, archive: bytes, message: str) -> None:
    before = digests(folder / "data")
    point_to(folder, server.put("/texts.zip", respond(archive)))
    done = run(STAGE, folder, check=False)
    assert done.returncode == 1
    assert message in done.stdout
    assert done.stdout.count("\n") == 1
    check_unchanged(folder, before)
    assert not list(folder.parent.glob("**/outside.txt"))


def test_the_password_of_an_address_is_not_stored(folder: Path, server: FaultyServer) -> None:
    server.put("/new.txt?token=secret", respond(b"new words\n"))
    point_to(folder, server.url.replace("://", "://me:secret@") + "/new.txt?token=secret")
    output = run(STAGE, folder).stdout
    assert "secret" not in output + (folder / "data/raw/source.json").read_text()
    assert f"http://***@127.0.0.1:{server.server_port}/new.txt?token=***" in (folder / "data/raw/source.json").read_text()
