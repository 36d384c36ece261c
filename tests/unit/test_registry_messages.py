import re
from types import SimpleNamespace
from typing import Any

import pytest

from lstm_lm.tracking import champion
from lstm_lm.tracking.champion import State
from lstm_lm.tracking.versions import RUN_TAG, Board
from lstm_lm.ui import registry_messages
from terminal_stream import Tty, replace_stdout


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


@pytest.mark.parametrize(("columns", "is_narrow"), [(80, True), (60, True), (240, False)])
def test_a_version_is_recognized_in_a_narrow_window(columns: int, is_narrow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    why = "measured on another test text than version 1: promote it on purpose with: make promote RUN=2"
    first = version(1, 315.0, **{"ppl": "166.4", "run": "default", champion.REASON_TAG: "first version", RUN_TAG: "0" * 32})
    second = version(
        2, 148.0, "abcdef", **{"ppl": "58.80", "run": "lr=0.002 (own text)", champion.NOT_CHAMPION_TAG: why, RUN_TAG: "1" * 32}
    )
    window = replace_stdout(monkeypatch, Tty())
    monkeypatch.setenv("COLUMNS", str(columns))
    registry_messages.show_versions("lstm_lm", Board([first, second], 1, State()))
    lines = re.sub(r"\x1b\[\d*m", "", window.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    assert "lr=0.002 (own text)" in lines[1] and "default" in lines[2]
    assert ("make ui" in " ".join(lines)) == is_narrow
    assert why in " ".join(" ".join(lines).split())
    assert ("version 2  measured" in " ".join(lines)) == is_narrow  # below the table


def shown_promotion(before: Board, after: Board, capsys: pytest.CaptureFixture[str]) -> list[str]:
    registry_messages.show_promotion("lstm_lm", before, after)
    return capsys.readouterr().out.splitlines()


def test_a_promotion_and_a_roll_back_name_the_command_that_undoes_them(capsys: pytest.CaptureFixture[str]) -> None:
    versions = [version(1, 9.0), version(2, 9.5), version(3, 9.9)]
    state = champion.promoted(State(), Board(versions, 1, State()).candidates, 3)
    promoted = Board(versions, 3, state, 1)
    line, *_ = shown_promotion(Board(versions, 1, State()), promoted, capsys)
    assert line == "models:/lstm_lm@champion is version 3 now, in place of version 1 (back: make rollback)"
    returned = champion.rolled_back(state, promoted.candidates)
    assert returned is not None
    rolled_back = Board(versions, 1, returned)
    line, *_ = shown_promotion(promoted, rolled_back, capsys)
    assert line == "models:/lstm_lm@champion is version 1 now, in place of version 3 (back: make promote RUN=3)"
    assert champion.rolled_back(returned, rolled_back.candidates) is None  # a second roll-back does not lead back


def test_there_is_no_way_back_to_a_version_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    gone = version(3, 9.9, **{champion.FILES_MISSING_TAG: "now"})
    for versions in ([version(1, 9.0), gone], [version(1, 9.0)]):
        line, *_ = shown_promotion(Board([version(1, 9.0), version(3, 9.9)], 3, State()), Board(versions, 1, State((1,), 3)), capsys)
        assert line == "models:/lstm_lm@champion is version 1 now, in place of version 3"


def test_servers_do_not_follow_the_champion_by_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    versions = [version(1, 9.0), version(2, 9.5)]
    none, first, second = (Board(versions, alias, State((1, 2)[:alias], 2)) for alias in (None, 1, 2))
    assert shown_promotion(first, second, capsys)[1:] == [
        "A running make serve keeps the version that it serves until you ask it to reload:",
        "  curl -X POST http://127.0.0.1:5001/admin/reload",
    ]
    assert len(shown_promotion(second, second, capsys)) == len(shown_promotion(none, first, capsys)) == 1  # no server has another one
