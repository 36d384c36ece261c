"""The head of the report."""

from dataclasses import replace

import pytest

import report_files
from lstm_lm.ui.report import headline
from report_files import report_inputs, with_details


def test_the_time_of_a_training_is_the_recorded_one_or_that_of_its_steps() -> None:
    assert headline.training_seconds(report_inputs()) == 321
    # 40 rows of 100 words at 1,000 words/s
    assert headline.training_seconds(report_inputs(run={"run_id": "a"})) == pytest.approx(4.0)
    rows = [replace(row, words_per_second=0.0) for row in report_files.history()]
    assert headline.training_seconds(report_inputs(run={}, history=rows)) is None


def test_the_run_is_called_by_its_name_or_else_its_id() -> None:
    assert headline.run_name(report_inputs()) == report_files.ATTACKS[0]
    assert headline.run_name(with_details(run=None)) == "run0123"
    assert headline.run_name(report_inputs(details={}, run={})) == "unnamed run"


def test_a_model_worse_than_its_baselines_is_above_them() -> None:
    assert headline.comparison({"perplexity": 200.0, "kneser_ney_perplexity": 100.0}) == "100% above Kneser-Ney (100.0)"
    assert headline.comparison({"perplexity": 200.0}) == ""
