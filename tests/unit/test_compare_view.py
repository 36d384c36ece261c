import json

from conftest import PROJECT
from lstm_lm.tracking import comparison_view
from lstm_lm.tracking.run import METRICS


def test_it_draws_metrics_that_are_logged():
    state = json.loads(json.loads(comparison_view.view())["state"])
    charts = state["compareRunCharts"]
    curves = [chart for chart in charts if chart["type"] == "LINE"]
    assert {chart["metricKey"] for chart in curves} <= set(METRICS)
    assert {chart["selectedXAxisMetricKey"] for chart in curves} == {"", "train/words_seen"}
    bars = [chart["metricKey"] for chart in charts if chart["type"] == "BAR"]
    assert "test/bits_per_character" in bars
    figures = json.loads((PROJECT / "reports/metrics.json").read_text())
    assert set(bars) <= {f"{split}/{name}" for split, found in figures.items() for name in found}
    assert {chart["metricSectionId"] for chart in charts} == {section["uuid"] for section in state["compareRunSections"]}
    assert any(
        chart["compareGroups"] == ["Parameters"] and chart["showDifferencesOnly"] for chart in charts if chart["type"] == "DIFFERENCE"
    )
    assert len({chart["uuid"] for chart in charts}) == len(charts)


def test_the_note_leads_to_the_view():
    assert comparison_view.address("7") in comparison_view.note("7")
    assert comparison_view.TAG.endswith(f".{comparison_view.KEY}")
