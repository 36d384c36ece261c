import functools
import gzip
import io
import math
import os
import pty
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import PROJECT, TINY_VOCABULARY
from lstm_lm.commands import score
from lstm_lm.errors import UserError
from lstm_lm.export import text_model

TEXT = "The king and thou, not a don't ghost nor a ghost\n"
WORDS = ["the", "king", "and", "thou", "not", "a", "don't", "ghost", "nor", "a", "ghost"]
UNKNOWN = ["a", "ghost", "nor", "a", "ghost"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_saved_models: Path) -> Path:
    """A folder with a tiny exported model and a text."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "models").mkdir()
    (folder / "models/saved_model").symlink_to(tiny_saved_models / "1/saved_model")
    (folder / "text.txt").write_text(TEXT)
    shutil.copy(PROJECT / "params.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def load_once() -> Any:
    """A function that loads the model of `project` once."""
    return functools.cache(text_model.load_text_model)


def printed_metrics(file: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Score a text and return the printed metrics: {name: value as printed}."""
    score.score(file)
    rows = [line.rsplit("  ", 1)[0] if line.count("  ") else line for line in capsys.readouterr().out.splitlines()[1:]]
    values = {}
    for row in rows:
        name, value = row.split("  ", 1)
        values[name] = value.split()[0]
    return values


@pytest.mark.slow
def test_a_text_is_scored_like_a_held_out_document(
    project: Path, load_once: Any, shared_text_model: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(text_model, "load_text_model", load_once)
    monkeypatch.chdir(project)
    metrics = printed_metrics("text.txt", capsys)
    ids = np.array([[TINY_VOCABULARY.index(word) if word in TINY_VOCABULARY else 0 for word in WORDS]], np.int32)
    state = shared_text_model.initial_state(1)["state"]
    nats = shared_text_model.score(ids[:, :-1], ids[:, 1:], state)["nats"].numpy().astype(np.float64)
    # Three different unknown words: "a", "ghost" and "nor".
    adjusted_nats = nats.sum() + len(UNKNOWN) * math.log(3)
    assert metrics == {
        "words": "10",
        "unknown words": "5",
        "loss": f"{nats.mean():.3f}",
        "perplexity": f"{math.exp(nats.mean()):.2f}",
        "adjusted perplexity": f"{math.exp(adjusted_nats / 10):.1f}",
        "bits per character": f"{adjusted_nats / math.log(2) / len(' '.join(['', *WORDS[1:]])):.3f}",
    }


@pytest.mark.slow
def test_standard_input_is_scored_like_a_file(
    project: Path, load_once: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(text_model, "load_text_model", load_once)
    monkeypatch.chdir(project)
    from_file = printed_metrics("text.txt", capsys)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())))
    assert printed_metrics("-", capsys) == from_file


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "text.txt: cannot be read: No such file or directory"),
        (b"caf\xe9", r"text.txt: byte 3 is not utf-8: if the file is in another encoding, name it in params.yaml: download.encoding"),
        (b"", r"text.txt: has 0 words: at least 2 are needed"),
        (b"king", r"text.txt: has 1 word: at least 2 are needed"),
    ],
)
def test_a_text_that_cannot_be_scored_is_a_one_line_error(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes | None, message: str
) -> None:
    for name in ("models", "data", "params.yaml"):
        (tmp_path / name).symlink_to(project / name)
    monkeypatch.chdir(tmp_path)
    if data is not None:
        Path("text.txt").write_bytes(data)
    with pytest.raises(UserError, match=message) as error:
        score.score("text.txt")
    assert "\n" not in str(error.value)


def test_a_compressed_text_is_scored_and_what_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("\u2018tis\n".encode()))
    assert score.read_text(str(tmp_path / "a.txt.gz"), "utf-8", clean=True) == "'tis\n"
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\n")
    with pytest.raises(UserError, match=r"a\.pdf: is a PDF document: only plain text and Markdown can be scored$"):
        score.read_text(str(tmp_path / "a.pdf"), "latin-1", clean=True)


def test_without_a_model_the_error_explains_how_to_train_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    Path("text.txt").write_text(TEXT)
    with pytest.raises(UserError, match="there is no model in models/saved_model: train one first, with: make repro"):
        score.score("text.txt")


def test_a_terminal_is_told_what_is_waited_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    master, slave = pty.openpty()
    os.write(master, b"thou art\n\x04")
    with os.fdopen(slave, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert score.read_text("-", "utf-8", clean=False) == "thou art\n"
    os.close(master)
    assert capsys.readouterr().err == "note: type the text, and end it with Ctrl-D; or name a file: make score FILE=my.txt\n"
