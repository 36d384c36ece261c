"""The head of the report."""

import report_files
from lstm_lm.ui.report import headline
from report_files import report_inputs, with_details


def test_the_run_is_called_by_its_name_or_else_its_id() -> None:
    assert headline.run_name(report_inputs()) == report_files.ATTACKS[0]
    assert headline.run_name(with_details(run=None)) == "run0123"
    assert headline.run_name(report_inputs(details={}, run={})) == "unnamed run"


def test_a_model_worse_than_its_baselines_is_above_them() -> None:
    assert headline.comparison({"perplexity": 200.0, "kneser_ney_perplexity": 100.0}) == "100% above Kneser-Ney (100.0)"
    assert headline.comparison({"perplexity": 200.0}) == ""
