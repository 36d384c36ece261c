"""The MLflow page that compares trainings: curves over steps and words seen, held-out metrics, and parameters that differ.

MLflow stores such a page, a "saved view", as a tag of the experiment.
"""

import json
import time

KEY = "compare"
TAG = f"mlflow.sharedViewState.{KEY}"
CURVES = [
    ("train/loss", "step"),
    ("train/loss", "train/words_seen"),
    ("validation/perplexity", "step"),
    ("validation/perplexity", "train/words_seen"),
]
# Only bits per character compare models of words, subwords and characters.
BARS = ["test/bits_per_character", "test/perplexity"]
# Runs take these in turn, because MLflow's own choice sometimes gives two runs the same color.
COLORS = ["#2272b4", "#e8590c", "#2f9e44", "#9c36b5", "#c92a2a", "#0c8599", "#846358", "#5f3dc4"]


def address(experiment_id: str) -> str:
    """Return the page's address, relative to that of MLflow's pages."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={KEY}&compareRunsMode=CHART&workflowType=machine_learning"


def description(experiment_id: str) -> str:
    """Return a Markdown link to the page. MLflow shows an experiment's description above its runs."""
    return f"[Compare the trainings: curves, and parameters that differ]({address(experiment_id)})"


def view() -> str:
    """Return the value of the tag: JSON inside JSON, as MLflow's own pages write it."""
    # In a window 1280 pixels wide, the columns of all runs fit only without the list of runs and with one table a row.
    sections = [
        _section("curves", "Curves", 2, 330),
        _section("held-out", "Held-out text", 2, 330),
        _section("differences", "What differs", 1, 900),
    ]
    charts = [_curve(f"curve-{i}", metric, x) for i, (metric, x) in enumerate(CURVES)]
    charts += [_bars(f"bars-{i}", metric) for i, metric in enumerate(BARS)]
    charts += [_table("parameters", "Parameters", "Parameters that differ", True), _table("metrics", "Model metrics", "Last values", False)]
    state = {"compareRunCharts": charts, "compareRunSections": sections, "isAccordionReordered": True, "runListHidden": True}
    now = int(time.time() * 1000)
    return json.dumps({"name": "Compare trainings", "createdAt": now, "updatedAt": now, "state": json.dumps(state, separators=(",", ":"))})


def _section(uuid: str, name: str, columns: int, height: int) -> dict[str, object]:
    return {"uuid": uuid, "name": name, "display": True, "isReordered": True, "columns": columns, "cardHeight": height}


def _curve(uuid: str, metric: str, x: str) -> dict[str, object]:
    x_axis = {"xAxisKey": "step", "selectedXAxisMetricKey": ""} if x == "step" else {"xAxisKey": "metric", "selectedXAxisMetricKey": x}
    return {
        "uuid": uuid,
        "type": "LINE",
        "metricSectionId": "curves",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        **x_axis,
        "useGlobalXaxisKey": False,
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": True,
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "deleted": False,
        "isGenerated": False,
    }


def _bars(uuid: str, metric: str) -> dict[str, object]:
    return {
        "uuid": uuid,
        "type": "BAR",
        "metricSectionId": "held-out",
        "metricKey": metric,
        "runsCountToCompare": 10,
        "deleted": False,
        "isGenerated": False,
    }


def _table(uuid: str, group: str, name: str, differences_only: bool) -> dict[str, object]:
    return {
        "uuid": uuid,
        "type": "DIFFERENCE",
        "metricSectionId": "differences",
        "compareGroups": [group],
        "chartName": name,
        "showChangeFromBaseline": False,
        "showDifferencesOnly": differences_only,
        "baselineColumnUuid": "",
    }
