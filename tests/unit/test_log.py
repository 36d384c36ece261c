import logging
from typing import Any

import pytest

from lstm_lm.serving.app import log


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"event": "request", "request_id": "a1", "method": "POST", "path": "/v1/score", "status": 200, "ms": 1234.5, "words": 1},
            "POST /v1/score  200  1,234 ms  1 word",
        ),
        (
            {"event": "request", "request_id": "a1", "method": "GET", "path": "/healthz", "status": 200, "ms": 0.4, "words": 0},
            "GET /healthz  200  0 ms",
        ),
        ({"event": "stopping", "process": 1, "requests": 0, "seconds": 30.0}, "Stopping"),
        (
            {"event": "stopping", "process": 1, "requests": 2, "seconds": 30.0},
            "Stopping: waiting up to 30 s for 2 requests. Press Ctrl-C again to stop now",
        ),
        ({"event": "stopping", "process": 1, "requests": 1, "seconds": 0.0}, "Stopping now: 1 request will not be complete"),
        ({"event": "loaded", "model": "lstm_lm", "seconds": 3.2}, "loaded  model=lstm_lm  seconds=3.2"),
        (None, "warning: 5 % are left"),
    ],
)
def test_a_person_reads_short_lines_on_a_terminal(fields: dict[str, Any] | None, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    record = logging.LogRecord("any", logging.WARNING, "file.py", 1, "%d %% are left", (5,), None)
    if fields:
        setattr(record, log.FIELDS, fields)
    time, _, text = log.TerminalLines().format(record).partition("  ")
    assert len(time) == len("12:34:56")
    assert text == line


def test_a_line_on_a_terminal_breaks_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    record = logging.LogRecord("any", logging.INFO, "file.py", 1, "", (), None)
    address = {"model": "lstm_lm-champion", "address": "models:/lstm_lm/3"}
    setattr(record, log.FIELDS, {"event": "loaded", **address, "fingerprint": "fp_591264fa3446", "seconds": 6.4})
    first, second = log.TerminalLines().format(record).splitlines()
    assert first.split("  ")[1:] == ["loaded", "model=lstm_lm-champion", "address=models:/lstm_lm/3"]
    assert second == "          fingerprint=fp_591264fa3446  seconds=6.4"
