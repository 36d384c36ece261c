"""Mistakes of users, with the real stage programs, in a folder with its own text and params.yaml.

Each mistake ends with exit code 1 and one line, without a stack trace. The line states the problem, the value and what to do.
"""

import hashlib
import http.server
import json
import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT, change_params, run

pytestmark = pytest.mark.slow
TEXT = "the king and the queen of england did not see a ghost to-night\n" * 40
OUTPUTS = {"download": "data/raw", "vocab": "data/vocab", "batching": "data/batches"}
STAGES = list(OUTPUTS)
SMALL = {"download.source": {"path": "data/own"}, "vocab.min_count": 2, "batching.batch_size": 2, "batching.sequence_length": 4}


def create_project(folder: Path) -> Path:
    """Create a project without Git that has a short text."""
    shutil.copytree(PROJECT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "params.yaml", folder)
    (folder / "data/own").mkdir(parents=True)
    (folder / "data/own/text.txt").write_text(TEXT)
    change_params(folder, SMALL)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create_project(tmp_path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run the stages before batching. Tests copy their outputs."""
    folder = create_project(tmp_path_factory.mktemp("prepared"))
    for stage in STAGES[:2]:
        run(["python", f"src/{stage}.py"], folder)
    return folder


def copy_outputs(prepared: Path, folder: Path, stage: str) -> None:
    """Copy the outputs of the stages before `stage`, which are the same in every project with the default text."""
    for earlier in STAGES[: STAGES.index(stage)]:
        shutil.copytree(prepared / OUTPUTS[earlier], folder / OUTPUTS[earlier])


def run_to_error(folder: Path, stage: str) -> str:
    """Run the stages up to `stage`, which must fail, and return its error line."""
    for earlier in STAGES[: STAGES.index(stage)]:
        if not (folder / OUTPUTS[earlier]).exists():
            run(["python", f"src/{earlier}.py"], folder)
    done = run(["python", f"src/{stage}.py"], folder, check=False)
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("\n") == 1, done.stdout
    assert done.stdout.startswith("error: ")
    return done.stdout


@pytest.mark.parametrize(
    ("stage", "changes", "text", "message"),
    [
        ("download", {"download.source": {"path": "data/own/nothing.txt"}}, None, "data/own/nothing.txt: no such file or folder"),
        ("download", {"download.source": {"path": "data/own/empty"}}, None, "data/own/empty: no text in this folder: put your .txt"),
        ("download", {"download.source": {"url": "ftp://x/y.txt"}}, None, "must be an address that starts with http://, https://, s3://"),
        ("download", {}, b"caf\xe9 and more", "text.txt: byte 3 is not utf-8: if the file is in another encoding, name it in params.yaml"),
        (
            "download",
            {"download.encoding": "latin-1"},
            bytes(range(256)) * 9,
            'download.source: {"path": "data/own"}: contains no text, only text.txt (binary): put plain text or Markdown there',
        ),
        ("download", {}, "words\n".encode("utf-16-le") * 9, "text.txt: seems to be utf-16-le without a byte-order mark: name it in"),
        (
            "download",
            {},
            b"<!doctype html>\n<p>words",
            "contains no text, only text.txt (a web page (HTML)): put plain text or Markdown there",
        ),
        ("download", {}, b"", 'params.yaml: download.source: {"path": "data/own"}: contains no text'),
        ("vocab", {}, "?!… ❤️ 😀\n".encode(), "nothing is left of the text after cleaning"),
        ("vocab", {}, b"king " * 100, "a vocabulary of 1 word besides <unk> cannot be learned"),
        ("vocab", {"vocab.validation": ["*valid*"], "vocab.test": ["*test*"]}, None, "'*valid*' matches no document with words in it"),
        (
            "vocab",
            {"vocab.split_by": "documents"},
            None,
            "1 document is too few for training, validation and test: use split_by: spans",
        ),
        ("batching", {"batching.batch_size": 300}, None, "fewer than one batch of 1,500: lower batching.batch_size (300)"),
        ("batching", {"batching.batch_sise": 3}, None, "batching.batch_sise: unknown key; did you mean batch_size?"),
    ],
)
def test_an_unusable_source_or_text_is_a_one_line_error(
    folder: Path, prepared: Path, stage: str, changes: dict[str, Any], text: bytes | None, message: str
) -> None:
    (folder / "data/own/empty").mkdir()
    if text is None:
        copy_outputs(prepared, folder, stage)
    else:
        (folder / "data/own/text.txt").write_bytes(text)
    change_params(folder, changes)
    assert message in run_to_error(folder, stage)


def test_a_missing_empty_or_changed_web_page_is_a_one_line_error(folder: Path) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = TEXT.encode() if self.path == "/text.txt" else b""
            self.send_response(404 if self.path == "/gone.txt" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        run(["python", "src/download.py"], folder)
        before = (folder / "data/raw/text.txt").read_bytes()
        address = f"http://127.0.0.1:{server.server_port}"
        for source, message in (
            ({"url": f"{address}/gone.txt"}, "the server answered 404 Not Found"),
            ({"url": f"{address}/empty.txt"}, "contains no text"),
            ({"url": f"{address}/text.txt", "sha256": "0" * 64}, f"sha256 is {hashlib.sha256(TEXT.encode()).hexdigest()}, but "),
        ):
            change_params(folder, {"download.source": source})
            assert message in run_to_error(folder, "download")
            assert (folder / "data/raw/text.txt").read_bytes() == before  # the earlier text is intact
        assert "0" * 64 in run_to_error(folder, "download")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_texts_of_every_kind_are_accepted(folder: Path) -> None:
    """Windows newlines, a byte-order mark, one long line, combining accents, scripts with and without spaces, emoji."""
    import pandas as pd

    own = folder / "data/own"
    lines = {
        "crlf": "\ufeffThou art\r\nmore lovely\r\n",
        "accents": "cafe\u0301 café\n",  # the same word, encoded in two ways
        "greek": "ΣΟΦΟΣ ὁ σοφός\n",
        "chinese": "学而时习之\uff0c不亦说乎\n",
        "arabic": "مَرْحَبًا بالعالم\n",
        "emoji": "love ❤️ 😀👩‍👩‍👧 love\n",
    }
    for name, line in lines.items():
        (own / f"{name}.txt").write_bytes((line * 30).encode())
    (own / "long.txt").write_text("to be or not to be " * 250_000)  # 5 MB without a newline
    change_params(folder, {"vocab.split_by": "spans"})
    for stage in STAGES:
        assert "Traceback" not in run(["python", f"src/{stage}.py"], folder).stdout
    words = set(pd.read_csv(folder / "data/vocab/vocab.csv", keep_default_na=False).word)
    assert {"thou", "lovely", "café", "σοφος", "ὁ", "σοφός", "学而时习之", "不亦说乎", "مَرْحَبًا", "بالعالم", "love", "be"} <= words
    assert not any("\ufeff" in word or "\r" in word or "❤" in word or "\u200d" in word for word in words)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux reports the peak memory there")
def test_memory_does_not_grow_with_the_text(folder: Path) -> None:
    code = (
        "import re, runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    peaks = []
    lines = [f"{'the king and queen' if i % 3 else 'é ghost -- not'} word{i * 7919 % 5000} of england\n" for i in range(200_000)]
    for times in (3, 9):  # times 8 MB, so that even the shorter text is larger than the blocks in memory
        text = "".join("".join([*lines[i::7], "\u201c\U0001f600\u201d\n", *lines]) for i in range(times))
        (folder / "data/own/text.txt").write_text(text)
        for stage in STAGES:
            printed = run(["python", "-c", code, f"src/{stage}.py"], folder, PYTHONPATH="src").stdout
            peaks.append(int(printed.splitlines()[-1]) / 1024)
    assert (folder / "data/vocab/text.npy").stat().st_size > 50e6
    for short, long in zip(peaks[:3], peaks[3:], strict=True):
        assert long - short < 40  # MB; there are 52 more of text, and from run to run peaks differ by 10


def test_data_stages_import_only_the_libraries_they_need(folder: Path) -> None:
    heavy = ["tensorflow", "mlflow", "matplotlib", "pandas", "scipy", "requests", "markdown_it", "pathspec"]
    code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__'); print(*sorted(set(sys.argv[2:]) & set(sys.modules)))"
    for stage in STAGES:
        imported = run(["python", "-c", code, f"src/{stage}.py", "pyarrow", *heavy], folder, PYTHONPATH="src").stdout.splitlines()[-1]
        assert imported == ("pyarrow" if stage == "vocab" else "")


def test_notes_name_what_is_skipped_and_what_is_there_twice(folder: Path) -> None:
    own = folder / "data/own"
    (own / "text.txt~").write_text(TEXT)
    (own / "page.html").write_text("<html>words")
    (own / "copy.txt").write_text(TEXT.replace("\n", "\r\n"))
    with zipfile.ZipFile(own / "more.zip", "w") as archive:
        archive.writestr("more.txt", "once upon a time there was a king\n" * 40)
        archive.writestr("cover.png", b"\x89PNG\r\n\x1a\n")
    assert (
        "note: skipped 3 files that are not text: text.txt~ (a backup), more.zip/cover.png (an image), page.html (a web page (HTML))\n"
        in run(["python", "src/download.py"], folder).stdout
    )
    printed = run(["python", "src/vocab.py"], folder).stdout
    assert "note: left out 1 document that is a copy of another: text.txt (= copy.txt)\n" in printed
    assert {span["document"] for span in json.loads((folder / "data/vocab/splits.json").read_text())["test"]} == {
        "copy.txt",
        "more.zip/more.txt",
    }


def test_a_pipe_in_data_own_is_an_error_before_dvc_waits_for_it(folder: Path) -> None:
    os.mkfifo(folder / "data/own/pipe")
    done = run(["python", "src/cli.py", "check"], folder, check=False)
    assert done.returncode == 1
    assert done.stdout == "error: data/own/pipe: is a named pipe, a socket or a device, which DVC cannot read: move it elsewhere\n"


def test_a_note_warns_of_too_few_steps(folder: Path, prepared: Path) -> None:
    copy_outputs(prepared, folder, "batching")
    assert "note:" not in run(["python", "src/batching.py"], folder).stdout
    change_params(folder, {"batching.batch_size": 16})
    assert "steps per epoch are few: in params.yaml lower batching.batch_size (16)" in run(["python", "src/batching.py"], folder).stdout
