"""The user's own files, as people really have them: with backups, links, pipes, archives, and names that are not text."""

import gzip
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.config.schema import PathSource
from lstm_lm.errors import UserError
from lstm_lm.text.sources import documents, local
from lstm_lm.text.sources.fetching import fetch
from lstm_lm.text.sources.files import Skipped


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a text in data/own."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data/own"
    folder.mkdir(parents=True)
    (folder / "book.txt").write_text("words")
    return folder


def read(path: str = "data/own") -> tuple[list[str], Skipped]:
    """The names of the documents of a path, and what was skipped."""
    skipped: Skipped = {}
    fetched = fetch(PathSource(path=path), "utf-8", True, skipped)
    return [document.name for document in fetched if document.text is not None], skipped


def failure(path: str = "data/own") -> str:
    with pytest.raises(UserError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_no_text_is_skipped(own: Path) -> None:
    expected = {
        "book.txt.dvc": "a file of DVC",
        "dvc.lock": "a file of DVC",
        "book.txt~": "a backup",
        "#book.txt#": "a backup",
        "book.txt.bak": "a backup",
        "book.txt.ORIG": "a backup",
        "~$book.docx": "a backup",
        "Thumbs.db": "a file of the operating system",
        "desktop.ini": "a file of the operating system",
        ".old.txt": "hidden",
        ".vim": "hidden",
        "page.html": "a web page (HTML)",
        "scan.pdf": "a PDF document",
        "cover": "binary",
    }
    for name in expected:
        (own / name).write_text("words")
    (own / ".vim").unlink()
    (own / ".vim/undo").mkdir(parents=True)
    (own / "page.html").write_text("<!doctype html><p>words")
    (own / "scan.pdf").write_text("%PDF-1.4")
    (own / "cover").write_bytes(bytes(range(256)))
    for unmentioned in (".gitignore", ".DS_Store", "._book.txt", "__MACOSX/book.txt"):
        (own / unmentioned).parent.mkdir(exist_ok=True)
        (own / unmentioned).write_text("words")
    assert read() == (["book.txt"], expected)


def test_a_source_of_nothing_but_other_files_is_an_error(own: Path) -> None:
    (own / "book.txt").rename(own / "book.txt~")
    assert failure() == (
        "params.yaml: download.source.path: data/own: no text in this folder, only book.txt~ (a backup): put your .txt or .md files there"
    )
    for i in range(7):
        (own / f"{i}.html").write_text("<html>words")
    assert failure().startswith(
        'params.yaml: download.source: {"path": "data/own"}: contains no text, only book.txt~ (a backup), 0.html (a web'
    )
    assert failure().endswith("3.html (a web page (HTML)) and 3 more: put plain text or Markdown there")
    assert "contains no text, only 0.html (a web page (HTML)): put" in failure("data/own/0.html")


def test_archives_and_compressed_files_are_read(own: Path) -> None:
    (own / "old.txt.gz").write_bytes(gzip.compress(b"words"))
    with zipfile.ZipFile(own / "more.zip", "w") as archive:
        archive.writestr("x/a.txt", "words")
        archive.writestr("x/a.txt~", "words")
        archive.writestr("x/b.jpg", b"\xff\xd8\xff\xe0")
    assert read() == (
        ["book.txt", "more.zip/a.txt", "old.txt"],
        {"more.zip/x/a.txt~": "a backup", "more.zip/b.jpg": "an image"},
    )
    assert read("data/own/more.zip")[0] == ["a.txt"]
    (own / "sub").mkdir()
    shutil.copy(own / "more.zip", own / "sub")
    assert read("data/own/sub")[0] == ["more.zip/a.txt"]  # whether there are other files or not
    shutil.rmtree(own / "sub")
    assert read("data/own/old.txt.gz")[0] == ["old.txt"]
    (own / "old.txt").write_text("words")
    assert failure() == "old.txt and old.txt.gz would both become old.txt: rename one of them"


def test_a_text_that_dvc_has_not_fetched_is_an_error(own: Path) -> None:
    (own / "more.txt.dvc").write_text("outs:\n- md5: x\n  path: more.txt\n")
    assert failure() == "data/own/more.txt.dvc: the text that it stands for is not here: fetch it with: dvc pull data/own/more.txt.dvc"


@pytest.mark.parametrize("where", ["", ".hidden"])
def test_pipes_and_sockets_are_errors_at_once(own: Path, where: str) -> None:
    """DVC waits for ever for a pipe, and ends with an error at a socket."""
    (own / where).mkdir(exist_ok=True)
    path = f"data/own/{where}/p".replace("//", "/")
    os.mkfifo(path)
    message = f"{path}: is a named pipe, a socket or a device, which DVC cannot read: move it elsewhere"
    if not where:  # hidden files are not read
        assert failure() == message
        assert failure("data/own/p") == message
    with pytest.raises(UserError, match=message):
        local.check_readable()
    Path(path).unlink()
    local.check_readable()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        with pytest.raises(UserError, match=message):
            local.check_readable()


def test_links_that_lead_nowhere_are_errors(own: Path) -> None:
    for target in ("nothing", "loop"):
        (own / "loop").symlink_to(target)
        assert failure() == "data/own/loop: a link to nothing: link the files themselves, or copy them here"
        with pytest.raises(UserError, match="loop: a link to nothing"):
            local.check_readable()
        (own / "loop").unlink()
    (own / "up").symlink_to("..")
    assert failure() == "data/own/up: a link to a folder: link the files themselves, or copy them here"
    local.check_readable()  # it does no harm where data/own is not the source


def test_names_that_are_no_text_are_errors(own: Path) -> None:
    for name, shown in (
        (b"caf\xe9.txt", r"data/own/caf\xe9.txt: the file name is not UTF-8"),
        (b"a\nb", r"a\nb: the file name has"),
    ):
        path = os.path.join(os.fsencode(own), name)  # noqa: PTH118 (bytes)
        with open(path, "wb"):  # noqa: PTH123
            pass
        assert failure().startswith(shown)
        if b"\n" not in name:  # which DVC can read
            with pytest.raises(UserError, match=r"caf\\xe9\.txt: the file name is not UTF-8: rename the file"):
                local.check_readable()
        os.unlink(path)  # noqa: PTH108


def test_long_names_and_names_that_are_taken_are_errors(own: Path) -> None:
    def write() -> str:
        with pytest.raises(UserError) as error:
            documents.write(fetch(PathSource(path="data/own"), "utf-8"), {}, "data/raw")
        assert not Path("data/raw").exists()
        return str(error.value)

    (own / ("x" * 252)).write_text("words")  # .txt makes it too long
    assert write() == f"{'x' * 252}.txt: the file name is too long: shorten it"
    (own / ("x" * 252)).unlink()
    (own / "a").write_text("words")
    (own / "a.txt").mkdir()
    (own / "a.txt/b").write_text("words")
    assert write() == "a.txt/b.txt: another file has this name, or a name that this disk takes for the same: rename it"


def run_unprivileged(code: str, folder: Path) -> str:
    """Run code as somebody who may not read everything, as root may, and return the line that it prints."""
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(PROJECT / 'src')!r})\nfrom lstm_lm.text.sources import local\n{code}",
    ]
    if os.geteuid() == 0:
        without = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--inh-caps={without}", f"--bounding-set={without}", *command]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything")
def test_files_and_folders_without_permission_are_errors(own: Path, tmp_path: Path) -> None:
    code = """
try:
    local.check_readable()
except local.UserError as error:
    print(error)
"""
    assert run_unprivileged(code, tmp_path) == ""
    (own / "book.txt").chmod(0)
    assert run_unprivileged(code, tmp_path) == (
        "data/own/book.txt: cannot be read: Permission denied: change its permissions, or move it elsewhere"
    )
    (own / "book.txt").chmod(0o600)
    (own / "more").mkdir()
    (own / "more").chmod(0)
    try:
        assert run_unprivileged(code, tmp_path) == (
            "data/own/more: cannot be read: Permission denied: change its permissions, or move it elsewhere"
        )
    finally:
        (own / "more").chmod(0o700)
