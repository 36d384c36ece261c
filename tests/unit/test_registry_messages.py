from types import SimpleNamespace
from typing import Any

import pytest

from lstm_lm.tracking import champion
from lstm_lm.tracking.champion import State
from lstm_lm.tracking.versions import Board
from lstm_lm.ui import registry_messages


def version(number: int, metric: float, digest: str = "0123456789", **others: str) -> Any:
    tags = {champion.METRIC_TAG: str(metric), champion.TEST_DIGEST_TAG: digest, **others}
    return SimpleNamespace(version=number, tags=tags, run_id=f"run {number}", source="")


def test_the_table_of_versions_shows_both_aliases() -> None:
    board = Board([version(1, 9.0), version(2, 8.0), version(3, 9.0)], 2, State(), 1)
    assert registry_messages.version_rows(board) == [
        ["3", "", "", "9.000", "01234567", "", "", "run 3"],
        ["2", "champion", "", "8.000", "01234567", "", "", "run 2"],
        ["1", "previous", "", "9.000", "01234567", "", "", "run 1"],
    ]


def test_versions_that_cannot_be_compared_are_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    words = version(1, 315.0, ppl="166.4", run="default")
    registry_messages.show_versions("lstm_lm", Board([words], 1, State()))
    assert len(capsys.readouterr().out.splitlines()) == 2
    characters = version(2, 3.0, "abcdef", ppl="2.91 per character", run="char")
    registry_messages.show_versions("lstm_lm", Board([words, characters], 1, State()))
    _, first, second, line = capsys.readouterr().out.splitlines()
    assert first.split()[:6] == ["2", "2.91", "per", "character", "3.000", "abcdef"]
    assert second.split()[:6] == ["1", "champion", "166.4", "315.0", "01234567", "default"]
    assert line.startswith("Perplexities can only be compared in rows with the same test text")
