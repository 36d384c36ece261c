"""Charts and their sections, as MLflow's pages keep them in a view's state."""

from collections.abc import Sequence
from typing import Literal


def section(name: str, title: str, *, columns: int, height: int, is_open: bool = True) -> dict[str, object]:
    """Return a section of charts.

    Args:
        name: by which charts name it.
        title: above its charts.
        columns: charts in a row.
        height: of a chart, in pixels.
        is_open: whether its charts are shown at first.
    """
    return {"uuid": name, "name": title, "display": is_open, "isReordered": True, "columns": columns, "cardHeight": height}


def line(section: str, metrics: Sequence[str], *, x: str, scale: Literal["linear", "log"] = "linear") -> dict[str, object]:
    """Return a chart of metrics over training: a color for each run, and a line style for each metric, the first one solid.

    MLflow names the chart after its metrics, so units belong into the title of the section.

    Args:
        section: its name.
        metrics: to draw.
        x: the metric of the horizontal axis.
        scale: of the vertical axis.
    """
    return {
        **_card(section, f"{section}-{metrics[0]}", "LINE"),
        "metricKey": metrics[0],
        "selectedMetricKeys": list(metrics),
        "xAxisKey": "metric",
        "selectedXAxisMetricKey": x,
        "useGlobalXaxisKey": False,
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": True,
        "xAxisScaleType": "linear",
        "scaleType": scale,
        "range": {},
        "yAxisKey": "metric",
        "yAxisExpressions": [],
    }


def scatter(section: str, *, parameter: str, metric: str) -> dict[str, object]:
    """Return a chart with a point for each run. Unlike bars, its axes need not start at 0, so that small differences can be seen."""
    return {
        **_card(section, f"{section}-{parameter}-{metric}", "SCATTER"),
        "xaxis": {"key": parameter, "type": "PARAM"},
        "yaxis": {"key": metric, "type": "METRIC"},
        "runsCountToCompare": 100,
    }


def bars(section: str, metric: str) -> dict[str, object]:
    """Return a bar for each run, from 0. It suits metrics of which 0 means something."""
    return {**_card(section, f"{section}-{metric}", "BAR"), "metricKey": metric}


def table(section: str, group: Literal["Parameters", "Model metrics"], title: str, *, differences_only: bool) -> dict[str, object]:
    """Return a table with a column for each run.

    Args:
        section: its name.
        group: what its rows are.
        title: above it.
        differences_only: leave out rows in which all runs are alike.
    """
    return {
        **_card(section, f"{section}-{group}", "DIFFERENCE"),
        "compareGroups": [group],
        "chartName": title,
        "showChangeFromBaseline": False,  # it calls every increase good, that of perplexity too
        "showDifferencesOnly": differences_only,
        "baselineColumnUuid": "",
    }


def hidden(section: str, metric: str) -> dict[str, object]:
    """Return a chart that is not shown. MLflow adds one for each metric that has none."""
    return {**_card(section, f"hidden-{metric}", "BAR"), "metricKey": metric, "deleted": True}


def _card(section: str, name: str, kind: str) -> dict[str, object]:
    return {"uuid": name, "type": kind, "metricSectionId": section, "deleted": False, "isGenerated": False}
