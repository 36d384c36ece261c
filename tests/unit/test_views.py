"""The saved views of MLflow's pages. tests/servers/test_pages.py opens them in a browser."""

import hashlib
import json
import re
from typing import Any

import pytest

from lstm_lm.config import keys
from lstm_lm.events import ROW_METRICS
from lstm_lm.tracking import text_source
from lstm_lm.tracking.views import catalog
from lstm_lm.tracking.views.saved_view import VERSION, SavedView
from lstm_lm.ui import metric_catalog
from mlflow_helpers import SETTINGS

CHARTS: list[dict[str, Any]] = json.loads(json.dumps(catalog.COMPARISON.state["compareRunCharts"]))
PARAMETERS = {*keys.flatten(SETTINGS), "parameter_count", text_source.TEXT}
TRIAL_METRIC = "validation/best_perplexity"


LOGGED = {*ROW_METRICS, *metric_catalog.LOGGED, TRIAL_METRIC}


@pytest.mark.parametrize("view", [*catalog.VIEWS, catalog.TRIALS], ids=lambda view: view.title)
def test_columns_are_metrics_and_parameters_that_are_logged(view: SavedView) -> None:
    columns = view.state["selectedColumns"]
    assert isinstance(columns, list)
    for column in columns:
        kind, name = re.fullmatch(r"(\w+)\.`(.+)`", column).groups()  # type: ignore[union-attr]
        assert kind == "attributes" or (name in LOGGED if kind == "metrics" else name in PARAMETERS), column
    # MLflow shows digests, commits and users unless the view says otherwise.
    assert [column for column in columns if column.startswith("attributes.")] == ["attributes.`Models`"]
    order = view.state["columnOrder"]
    assert isinstance(order, list)
    assert set(columns) < set(order) == set(view.state["columnWidths"])  # type: ignore[call-overload]
    assert view.state["orderByKey"] in columns
    assert view.state["orderByAsc"] is True


def test_the_leaderboard_begins_with_the_best_on_test_text() -> None:
    assert catalog.LEADERBOARD.state["orderByKey"] == "metrics.`test/perplexity`"
    assert catalog.views("lstm_lm") == catalog.VIEWS
    [trials] = catalog.views("lstm_lm-search")
    assert trials.state["orderByKey"] == f"metrics.`{TRIAL_METRIC}`"


def test_a_window_1280_pixels_wide_shows_what_can_be_compared() -> None:
    order, widths = catalog.LEADERBOARD.state["columnOrder"], catalog.LEADERBOARD.state["columnWidths"]
    assert isinstance(order, list) and isinstance(widths, dict)
    assert order[2:6] == ["params.`text`", "params.`vocab.unit`", "metrics.`test/perplexity`", "metrics.`test/bits_per_character`"]
    assert sum(widths[column] for column in order[:6]) <= 950  # beside MLflow's navigation and the boxes to tick


def test_charts_show_metrics_that_are_logged() -> None:
    lines = [chart for chart in CHARTS if chart["type"] == "LINE"]
    assert lines[0]["selectedMetricKeys"] == ["train/loss", "validation/loss"]
    assert {metric for chart in lines for metric in [*chart["selectedMetricKeys"], chart["selectedXAxisMetricKey"]]} <= set(ROW_METRICS)
    [scale] = [chart["scaleType"] for chart in lines if chart["metricKey"] == "validation/perplexity"]
    assert scale == "log"
    for chart in CHARTS:
        if chart["type"] == "BAR":
            assert chart["metricKey"] in LOGGED, chart["metricKey"]
        if chart["type"] == "SCATTER":
            assert chart["yaxis"]["key"] in LOGGED
            assert chart["xaxis"]["key"] in PARAMETERS
    # Bars begin at 0, which hides how two perplexities differ.
    assert [chart["metricKey"] for chart in CHARTS if chart["type"] == "BAR" and not chart["deleted"]] == ["test/gain_over_kneser_ney"]
    assert [(chart["compareGroups"], chart["showDifferencesOnly"]) for chart in CHARTS if chart["type"] == "DIFFERENCE"] == [
        (["Model metrics"], False),
        (["Parameters"], True),
    ]


def test_charts_and_sections_have_names_of_their_own() -> None:
    sections = catalog.COMPARISON.state["compareRunSections"]
    assert isinstance(sections, list)
    assert {chart["metricSectionId"] for chart in CHARTS} < {section["uuid"] for section in sections}
    assert len({chart["uuid"] for chart in CHARTS}) == len(CHARTS)
    titles = [chart.get("chartName") or chart.get("metricKey") for chart in CHARTS if not chart["deleted"] and chart["type"] != "SCATTER"]
    assert len(set(titles)) == len(titles)
    # MLflow adds a chart for each metric that no chart names first.
    named = [chart["metricKey"] for chart in CHARTS if "metricKey" in chart]
    assert {*ROW_METRICS, *metric_catalog.LOGGED} == set(named)
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("view", catalog.VIEWS, ids=lambda view: view.title)
def test_the_tag_is_what_mlflow_reads(view: SavedView) -> None:
    value = view.value(1_700_000_000_000)
    saved = json.loads(value)
    assert view.tag == f"mlflow.sharedViewState.{view.key}"
    assert {name: type(saved[name]) for name in ("name", "createdAt", "updatedAt", "state")} == {
        "name": str,
        "createdAt": int,
        "updatedAt": int,
        "state": str,
    }
    assert json.loads(saved["state"]) == view.state
    assert len(value) < 18_000  # MLflow's limit is 20,000, for the user's changes too
    mode = {"table": "", "charts": "&compareRunsMode=CHART", "artifacts": "&compareRunsMode=ARTIFACT"}[view.mode]
    assert view.address("7") == f"#/experiments/7/runs?viewStateShareKey={view.key}{mode}&workflowType=machine_learning"


@pytest.mark.parametrize(
    ("experiment", "titles"), [("lstm_lm", ["Leaderboard", "Compare trainings", "Samples side by side"]), ("x-search", ["Leaderboard"])]
)
def test_the_description_links_to_the_views_that_there_are(experiment: str, titles: list[str]) -> None:
    description = catalog.description("7", experiment)
    assert re.findall(r"\[([^]]*)\]", description) == titles
    assert all(f"({address})" in description for _, address in catalog.links("7", experiment))
    assert catalog.is_description(description)
    assert "unit and vocabulary" in description or experiment == "x-search"
    first_line, _, _ = description.partition("\n")
    assert len(re.sub(r"\(#[^)]*\)", "", first_line)) < 160  # MLflow folds away what is on further lines
    links = " · ".join(f"[{title}]({address})" for title, address in catalog.links("7", experiment))
    for earlier in (links, f"LSTM language models, one training per run; the lower the test perplexity, the better. {links}"):
        assert catalog.is_description(earlier)
    assert not catalog.is_description(f"{description} Ours are the last two.".replace("Perplexities", "Our perplexities"))


def tag(**changes: object) -> str:
    return json.dumps({**json.loads(catalog.COMPARISON.value(5)), **changes})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        (json.dumps({"name": "Compare trainings", "createdAt": 5, "updatedAt": 5, "state": "{}"}), True),  # the first version
        (tag(lstm_lm_version=VERSION - 1), True),
        (tag(), False),
        (tag(lstm_lm_version=VERSION + 1), False),
        (json.dumps({"name": "Compare trainings", "createdAt": 5, "updatedAt": 9, "state": "{}"}), False),  # by its user
        (tag(lstm_lm_version="1"), False),
        ("mine", False),
        ("[]", False),
        ("{}", False),
    ],
)
def test_older_versions_are_replaced_unless_their_user_changed_them(value: str | None, expected: bool) -> None:
    assert catalog.COMPARISON.replaces(value) is expected


def test_a_change_of_a_view_has_a_new_version() -> None:
    """Stores keep the views that they have until `VERSION` is a greater number. Then put the new digest here."""
    states = json.dumps([(view.key, view.title, view.state) for view in (*catalog.VIEWS, catalog.TRIALS)])
    assert (VERSION, hashlib.sha256(states.encode()).hexdigest()[:12]) == (3, "7439dc5e8887")
