import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drift_reports import TOKENIZER
from lstm_lm.serving.app import prompt_log
from lstm_lm.serving.app.mlflow_protocol import prompts_of
from lstm_lm.serving.app.prompt_log import PromptLog
from lstm_lm.serving.prompts import files
from lstm_lm.serving.prompts.files import PromptWriter

MODEL: Any = SimpleNamespace(id="lstm_lm", fingerprint="fp_1", known={"thou", "art"}, loaded=SimpleNamespace(tokenizer=TOKENIZER))


def test_prompts_are_logged_with_their_words(tmp_path: Path) -> None:
    log = PromptLog(PromptWriter(tmp_path, 10**6))
    log.offer(MODEL, ["Thou art zounds, zounds", "thou"], "id")
    log.close()
    first, second = (prompt for prompt in files.read(tmp_path) if prompt is not None)
    assert (first.prompt, first.words, first.unknown) == ("Thou art zounds, zounds", 4, ("zounds",))
    assert (first.request_id, first.model, first.fingerprint, second.unknown) == ("id", "lstm_lm", "fp_1", ())
    assert (log.logged, log.dropped) == (2, 0)


def test_a_disk_that_fails_is_reported_once_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(files, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(prompt_log.log, "event", lambda name, *_, **fields: events.append(f"{name}: {fields['reason']}"))
    folder = tmp_path / "prompts"
    folder.write_text("no folder")
    log = PromptLog(PromptWriter(folder, 10**6))
    for _ in range(3):
        log.offer(MODEL, ["thou", "art"], "id")
    deadline = time.monotonic() + 10
    while log.dropped < 6:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert len(events) == 1
    assert "prompts not logged: FileExistsError" in events[0]
    folder.unlink()
    log.offer(MODEL, ["thou"], "id")
    log.close()
    assert (log.logged, log.dropped) == (1, 6)


def test_what_was_written_before_the_disk_failed_is_not_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, sizes = files.os.write, iter([10**6, 10**6, 20, 10**6])  # the third line fits in part
    monkeypatch.setattr(files, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(files.os, "write", lambda descriptor, line: write(descriptor, line[: next(sizes)]))
    log = PromptLog(PromptWriter(tmp_path, 10**6))
    log.offer(MODEL, ["thou", "art", "the", "king"], "id")
    log.offer(MODEL, ["zounds"], "id")
    log.close()
    assert [prompt and prompt.prompt for prompt in files.read(tmp_path)] == ["thou", "art", "zounds"]
    assert (log.logged, log.dropped) == (3, 2)


def test_a_slow_disk_keeps_no_request_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(prompt_log, "MAX_WAITING", 1)
    monkeypatch.setattr(PromptLog, "_run", lambda self: None)  # as if it were waiting for the disk
    log = PromptLog(PromptWriter(tmp_path, 10**6))
    for _ in range(3):
        log.offer(MODEL, ["thou", "art"], "id")
    assert log.dropped == 4


@pytest.mark.parametrize(
    ("data", "prompts"),
    [
        ({"prompt": ["a", "b"]}, ["a", "b"]),
        ([{"prompt": "a"}, {"prompt": "b"}], ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        ("a", ["a"]),
        ({"other": [1]}, []),
    ],
)
def test_prompts_of_mlflows_tables(data: Any, prompts: list[str]) -> None:
    assert prompts_of(data) == prompts
