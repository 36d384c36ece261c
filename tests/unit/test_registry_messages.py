from types import SimpleNamespace
from typing import Any

from lstm_lm.tracking import champion
from lstm_lm.tracking.champion import State
from lstm_lm.tracking.versions import Board
from lstm_lm.ui import registry_messages


def version(number: int, metric: float) -> Any:
    tags = {champion.METRIC_TAG: str(metric), champion.TEST_DIGEST_TAG: "0123456789"}
    return SimpleNamespace(version=number, tags=tags, run_id=f"run {number}", source="")


def test_the_table_of_versions_shows_both_aliases() -> None:
    board = Board([version(1, 9.0), version(2, 8.0), version(3, 9.0)], 2, State(), 1)
    assert [row[:5] for row in registry_messages.version_rows(board)] == [
        ["3", "", "9.0", "01234567", "run 3"],
        ["2", "champion", "8.0", "01234567", "run 2"],
        ["1", "previous", "9.0", "01234567", "run 1"],
    ]
