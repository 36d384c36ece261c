"""Perplexity of test text by how often a token occurs in the training text."""

from collections.abc import Sequence

import altair as alt

from lstm_lm.ui.report import chart, numbers, scores
from lstm_lm.ui.report.figure import Figure, Table
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.scores import Group


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without bands."""
    bands = scores.scored(inputs.part("frequency_bands", "test"))
    if not bands:
        return []
    unit, units = numbers.units(inputs.unit, 1), numbers.units(inputs.unit)
    names = scores.predictors(bands)
    total = sum(band["words"] for band in bands)
    loss = sum(band["words"] * band["loss"] for band in bands)
    rows = [
        [
            band["label"],
            numbers.count(band["words"]),
            numbers.percent(band["words"] / total),
            numbers.percent(band["words"] * band["loss"] / loss if loss else None),
            *scores.perplexity_cells(band, names),
        ]
        for band in bands
    ]
    return [
        Figure(
            id="frequency-bands",
            title=f"Perplexity by frequency of the {unit}",
            finding=finding(bands, inputs.unit),
            reading=f"Each row holds the test {units} that occur that often in the training text. A line joins the predictors of one row.",
            chart=_chart(bands, units),
            legend=chart.legend(names),
            table=Table(
                ["count in the training text", f"test {units}", "of all", "of the loss", *(f"perplexity, {name}" for name in names)], rows
            ),
        )
    ]


def label(band: Group, total: float) -> str:
    """Name a band with its part of the test text: `100 to 999, 25% of the text`."""
    return f"{band['label']}, {band['words'] / total:.0%} of the text"


def _chart(bands: Sequence[Group], units: str) -> dict[str, object]:
    total = sum(band["words"] for band in bands)
    labels = [label(band, total) for band in bands]
    points = scores.points(bands, [{"band": text} for text in labels])
    names = scores.predictors(bands)
    scale = chart.ratio_scale(point["perplexity"] for point in points)
    base = alt.Chart(chart.values(points)).encode(
        y=chart.rows("band", labels),
        tooltip=[
            alt.Tooltip("band:N", title="count in the training text"),
            alt.Tooltip("predictor:N"),
            alt.Tooltip("perplexity:Q", format=",.1f"),
            alt.Tooltip("words:Q", title=f"test {units}", format=","),
        ],
    )
    x = alt.X("perplexity:Q", title="perplexity", scale=scale, axis=chart.axis(scale))
    marks = base.mark_point(size=85, opacity=1, yOffset=chart.MARK_OFFSET).encode(x=x, color=chart.color(names), shape=chart.shape(names))
    return chart.spec(alt.layer(chart.row_labels("band", labels), chart.spans(base, scale, "perplexity"), marks), chart.STEP * len(labels))


def finding(bands: Sequence[Group], unit: str) -> str:
    """Say which band costs most, and where the model gains most and least over Kneser-Ney."""
    total = sum(band["words"] for band in bands)
    cost = sum(band["words"] * band["loss"] for band in bands)
    units = numbers.units(unit)
    worst = max(bands, key=lambda band: band["words"] * band["loss"])
    fraction = worst["words"] * worst["loss"] / cost if cost else 0.0
    text = f"The band “{worst['label']}” costs most: it is {worst['words'] / total:.0%} of the test {units} and {fraction:.0%} of the loss"
    gains = {band["label"]: value for band in bands if (value := scores.gain(band)) is not None}
    if len(gains) < 2:
        return f"{text}."
    best, least = max(gains, key=gains.__getitem__), min(gains, key=gains.__getitem__)
    ending = f"gains least on “{least}” ({gains[least]:.2f})" if gains[least] >= 0 else f"is behind on “{least}” ({-gains[least]:.2f})"
    return (
        f"{text}. Against Kneser-Ney, the model gains most on “{best}” ({gains[best]:.2f} nats per {numbers.units(unit, 1)}) and {ending}."
    )
