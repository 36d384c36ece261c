"""The look of the charts, and what they have in common. Vega-Altair makes the specifications."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt

from lstm_lm.ui.report.figure import Key, Spec

TEXT, QUIET, GRID = "#1c2026", "#596273", "#e6e9ee"
MODEL, KNESER_NEY, UNIGRAMS = "this model", "Kneser-Ney", "unigrams"
MIXTURE = "model and Kneser-Ney"
# One color and one shape for each predictor, the same in all figures. The shapes differ for those who see no colors.
COLORS = {
    MODEL: "#1f5fbf",
    MIXTURE: "#2f8f4e",
    "dynamic evaluation": "#0e8fb5",
    "neural cache": "#5a7fd6",
    "parent": "#0f766e",
    "champion": "#8b3a9e",
    KNESER_NEY: "#c2560c",
    UNIGRAMS: "#7b8494",
}
SHAPES = {
    MODEL: "circle",
    MIXTURE: "triangle-left",
    "dynamic evaluation": "triangle-up",
    "neural cache": "triangle-down",
    "parent": "cross",
    "champion": "triangle-right",
    KNESER_NEY: "diamond",
    UNIGRAMS: "square",
}
PREFIXES = {
    MODEL: "",
    MIXTURE: "ngram_mixture_",
    "dynamic evaluation": "dynamic_evaluation_",
    "neural cache": "neural_cache_",
    KNESER_NEY: "kneser_ney_",
    UNIGRAMS: "unigram_",
}
STEP = 46  # pixels of a row
MARK_OFFSET = 8  # pixels of the marks below the middle of their row
# 1k, 2.4M, 3B, and 0.8, for which `~s` alone writes 800m. Vega's own labels would also write 0M.
SHORT = "abs(datum.value) < 1 ? format(datum.value, '~') : replace(format(datum.value, '~s'), 'G', 'B')"
WIDE_RANGE = 3  # from this ratio of the largest to the smallest value, an axis is logarithmic

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LABELS = {
    "labelFont": _FONT,
    "titleFont": _FONT,
    "labelColor": TEXT,
    "titleColor": QUIET,
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": 400,
}
CONFIG: Mapping[str, Any] = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        **_LABELS,
        "gridColor": GRID,
        "domainColor": "#b8c0cc",
        "tickColor": "#b8c0cc",
        "labelOverlap": True,
        "titlePadding": 8,
        "labelLimit": 180,
    },
    "axisY": {"domain": False, "ticks": False, "titleAnchor": "start", "titleAngle": 0, "titleAlign": "left", "titleX": 0, "titleY": -12},
    "axisX": {"grid": False},
    "legend": {"disable": True},
    "line": {"strokeWidth": 2},
    "text": {"font": _FONT, "fontSize": 12, "color": TEXT},
    "point": {"filled": True, "size": 70},
    "autosize": {"type": "fit-x", "contains": "padding", "resize": True},
}


def values(rows: Iterable[Mapping[str, object]]) -> alt.InlineData:
    """Return rows as the data of a chart."""
    return alt.InlineData(values=[dict(row) for row in rows])


def spec(chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: float) -> Spec:
    """Return the specification of a chart that is as wide as its place on the page, and `height` pixels high."""
    made: Spec = chart.properties(width="container", height=height).to_dict(validate=False)
    del made["$schema"]  # the page has the one version of Vega-Lite
    made.pop("config", None)  # the page has one for all
    return made


def color(names: Sequence[str]) -> alt.Color:
    """Encode the field `predictor` as its color."""
    return alt.Color("predictor:N", scale=alt.Scale(domain=list(names), range=[COLORS[name] for name in names]), legend=None)


def shape(names: Sequence[str]) -> alt.Shape:
    """Encode the field `predictor` as its shape."""
    return alt.Shape("predictor:N", scale=alt.Scale(domain=list(names), range=[SHAPES[name] for name in names]), legend=None)


def legend(names: Sequence[str]) -> list[Key]:
    """Return the legend of predictors."""
    return [Key(name, COLORS[name], SHAPES[name]) for name in names]


def rows(field: str, order: Sequence[str]) -> alt.Y:
    """Encode a field as rows, without an axis: `row_labels` names them inside the chart, where a narrow window has room for it."""
    return alt.Y(f"{field}:N", sort=list(order), title=None, axis=None)


def row_labels(field: str, order: Sequence[str], text: Mapping[str, str] | None = None, step: float = STEP) -> alt.Chart:
    """Name the rows of a chart, each above its marks.

    Args:
        field: that `rows` encodes.
        order: its values.
        text: what to show in place of a value.
        step: pixels of a row.
    """
    shown = [{field: value, "text": (text or {}).get(value, value)} for value in order]
    marks: alt.Chart = alt.Chart(values(shown)).mark_text(align="left", baseline="top", yOffset=2 - step / 2, limit=alt.expr("width"))
    labels: alt.Chart = marks.encode(x=alt.value(0), y=rows(field, order), text="text:N")
    return labels


def spans(base: alt.Chart, scale: alt.Scale, title: str) -> alt.Chart:
    """Join the lowest and the highest perplexity of each row."""
    x = alt.X("min(perplexity):Q", scale=scale, title=title)
    rules: alt.Chart = base.mark_rule(color="#c9d0da", strokeWidth=2, yOffset=MARK_OFFSET)
    joined: alt.Chart = rules.encode(x=x, x2="max(perplexity):Q", tooltip=alt.value(None))
    return joined


def axis(scale: alt.Scale, ticks: int = 6, grid: bool = True) -> alt.Axis:
    """Return an axis with few labels, of round numbers on a logarithmic scale too."""
    options: dict[str, Any] = {"grid": grid, "tickCount": ticks, "labelExpr": SHORT}
    found = scale.to_dict()
    if found.get("type") == "log":
        options["values"] = log_ticks(*found["domain"])
    return alt.Axis(**options)


def log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers between the ends of a logarithmic axis: powers of ten, or those and some in between where they are few."""
    decades = math.log10(high / low)
    steps: tuple[float, ...] = (1, 1.5, 2, 3, 4, 5, 7) if decades < 1 else (1, 2, 5) if decades < 2 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def ratio_scale(numbers: Iterable[float | None], wide: bool | None = None) -> alt.Scale:
    """Return a scale for positive numbers: not from zero, with some room, and logarithmic if they differ a lot.

    Args:
        numbers: those to show; None and what is not positive is left out.
        wide: whether to make it logarithmic; None: if the largest is `WIDE_RANGE` times the smallest.
    """
    positive = [number for number in numbers if number is not None and number > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 2.0)
    if wide or (wide is None and high >= WIDE_RANGE * low):
        room = (high / low) ** 0.05 if high > low else 1.5
        return alt.Scale(type="log", domain=[low / room, high * room], nice=False)
    margin = 0.1 * (high - low) or 0.05 * high
    return alt.Scale(domain=[low - margin, high + margin], zero=False, nice=False)
