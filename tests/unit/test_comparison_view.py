import json

from conftest import PROJECT
from lstm_lm.tracking import comparison_view
from lstm_lm.tracking.training_run import METRICS


def test_the_charts_show_metrics_that_are_logged() -> None:
    state = json.loads(json.loads(comparison_view.view())["state"])
    charts = state["compareRunCharts"]
    curves = [chart for chart in charts if chart["type"] == "LINE"]
    assert {chart["metricKey"] for chart in curves} <= set(METRICS)
    assert {chart["selectedXAxisMetricKey"] for chart in curves} == {"", "train/words_seen"}
    bars = [chart["metricKey"] for chart in charts if chart["type"] == "BAR"]
    assert "test/bits_per_character" in bars
    reported = json.loads((PROJECT / "reports/metrics.json").read_text())
    assert set(bars) <= {f"{split}/{name}" for split, metrics in reported.items() for name in metrics}
    assert {chart["metricSectionId"] for chart in charts} == {section["uuid"] for section in state["compareRunSections"]}
    assert any(
        chart["compareGroups"] == ["Parameters"] and chart["showDifferencesOnly"] for chart in charts if chart["type"] == "DIFFERENCE"
    )
    assert len({chart["uuid"] for chart in charts}) == len(charts)


def test_the_description_of_the_experiment_links_to_the_view() -> None:
    assert comparison_view.address("7") in comparison_view.description("7")
    assert comparison_view.TAG.endswith(f".{comparison_view.KEY}")
