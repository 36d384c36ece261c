"""What is printed about records that an earlier process has left."""

import pytest

from lstm_lm.tracking.sender import Delivery, Left
from lstm_lm.ui import tracking_messages


def test_records_of_an_earlier_process_are_no_loss(capsys: pytest.CaptureFixture[str]) -> None:
    tracking_messages.show_resent(Left("a1b2", "sqlite", Delivery(sent=15)))
    assert capsys.readouterr().out == "MLflow run a1b2: sent 15 records that an earlier process had left in .tracking: nothing is missing\n"
    tracking_messages.show_resent(Left("a1b2", "sqlite", Delivery(sent=1, refused=("file: too large",))))
    printed = capsys.readouterr()
    assert printed.out == "MLflow run a1b2: sent 1 record that an earlier process had left in .tracking\n"
    assert "refused a part of MLflow run a1b2" in printed.err
