"""The page of MLflow on which trainings are compared: curves over steps and over words seen, held-out figures, parameters that differ.

MLflow keeps such a page as a tag of the experiment: its "saved views".
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
# Of whole trainings, on held-out text; bits per character is the one figure that compares words, subwords and characters.
BARS = ["test/bits_per_character", "test/perplexity"]
# Of runs, in the order they come: MLflow's own choice gives two runs one colour now and then.
COLORS = ["#2272b4", "#e8590c", "#2f9e44", "#9c36b5", "#c92a2a", "#0c8599", "#846358", "#5f3dc4"]


def address(experiment_id):
    """The page's address below MLflow's own."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={KEY}&compareRunsMode=CHART&workflowType=machine_learning"


def note(experiment_id):
    """A line for the experiment's description, which MLflow shows above its runs."""
    return f"[Compare the trainings: curves, and parameters that differ]({address(experiment_id)})"


def view():
    """The value of the tag: JSON in JSON, as MLflow's pages write it themselves."""
    # In a window 1280 wide, all runs' columns fit only without the list of runs and with one table a row.
    sections = [
        _section("curves", "Curves", 2, 330),
        _section("held-out", "Held-out text", 2, 330),
        _section("differences", "What differs", 1, 900),
    ]
    charts = [_curve(f"curve-{i}", metric, x) for i, (metric, x) in enumerate(CURVES)]
    charts += [_bars(f"bars-{i}", metric) for i, metric in enumerate(BARS)]
    charts += [_table("parameters", "Parameters", "Parameters that differ", True), _table("figures", "Model metrics", "Last values", False)]
    state = {"compareRunCharts": charts, "compareRunSections": sections, "isAccordionReordered": True, "runListHidden": True}
    now = int(time.time() * 1000)
    return json.dumps({"name": "Compare trainings", "createdAt": now, "updatedAt": now, "state": json.dumps(state, separators=(",", ":"))})


def _section(uuid, name, columns, height):
    return {"uuid": uuid, "name": name, "display": True, "isReordered": True, "columns": columns, "cardHeight": height}


def _curve(uuid, metric, x):
    over = {"xAxisKey": "step", "selectedXAxisMetricKey": ""} if x == "step" else {"xAxisKey": "metric", "selectedXAxisMetricKey": x}
    return {
        "uuid": uuid,
        "type": "LINE",
        "metricSectionId": "curves",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        **over,
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


def _bars(uuid, metric):
    return {
        "uuid": uuid,
        "type": "BAR",
        "metricSectionId": "held-out",
        "metricKey": metric,
        "runsCountToCompare": 10,
        "deleted": False,
        "isGenerated": False,
    }


def _table(uuid, group, name, differences_only):
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
