"""Perplexity of each held-out document."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import altair as alt

from lstm_lm.ui.report import chart, numbers, scores
from lstm_lm.ui.report.figure import Figure, Spec, Table, thin
from lstm_lm.ui.report.inputs import SPLIT_TITLES, Inputs
from lstm_lm.wording import counted

HEIGHT = 280  # of many documents
MAX_NAMED = 40  # documents with a row each
MAX_POINTS = 400  # documents in the figure without names


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without documents."""
    documents = ranked(inputs)
    if not documents:
        return []
    units = numbers.units(inputs.unit)
    names = scores.compared(documents)
    named = len(documents) <= MAX_NAMED
    table_names = scores.predictors(documents)
    rows = [[each["name"], each["split"], numbers.count(each["words"]), *scores.perplexity_cells(each, table_names)] for each in documents]
    shown = documents if named else thin(documents, MAX_POINTS)
    part = "" if len(shown) == len(documents) else f" Shown are {len(shown):,} of {len(documents):,} documents, evenly spaced by rank."
    reading = "Each row is a held-out document" if named else "Documents are ordered by the model's perplexity, each in its column"
    return [
        Figure(
            id="documents",
            title="Perplexity of each held-out document",
            finding=finding(documents),
            reading=f"{reading}; documents differ in how predictable they are for any predictor.{part}",
            chart=_named_chart(shown, names, units) if named else _ranked_chart(shown, names, units),
            legend=chart.legend(names),
            table=Table.thinned(["document", "text", units, *(f"perplexity, {name}" for name in table_names)], rows, text_columns=2),
        )
    ]


def ranked(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the documents of the held-out splits, test first, each by rising loss."""
    return [
        {**document, "split": split}
        for split in SPLIT_TITLES
        for document in sorted(scores.scored(inputs.part("documents", split)), key=lambda document: float(document["loss"]))
    ]


def short_names(documents: Sequence[dict[str, Any]]) -> list[str]:
    """Name documents without folder and extension where that is unambiguous, with the split."""
    stems = [PurePosixPath(each["name"]).stem or each["name"] for each in documents]
    pairs = list(zip(stems, [each["split"] for each in documents], strict=True))
    return [
        f"{stem if pairs.count((stem, split)) == 1 else each['name']} ({split})"
        for each, (stem, split) in zip(documents, pairs, strict=True)
    ]


def _named_chart(documents: Sequence[dict[str, Any]], names: Sequence[str], units: str) -> Spec:
    labels = short_names(documents)
    points = scores.points(documents, _fields(documents, labels), names)
    scale = chart.ratio_scale(point["perplexity"] for point in points)
    base = alt.Chart(chart.values(points)).encode(y=chart.rows("label", labels), tooltip=_tooltip(units))
    x = alt.X("perplexity:Q", title="perplexity", scale=scale, axis=chart.axis(scale))
    marks = base.mark_point(size=85, opacity=1, yOffset=chart.MARK_OFFSET).encode(x=x, color=chart.color(names), shape=chart.shape(names))
    return chart.spec(alt.layer(chart.row_labels("label", labels), chart.spans(base, scale, "perplexity"), marks), chart.STEP * len(labels))


def _ranked_chart(documents: Sequence[dict[str, Any]], names: Sequence[str], units: str) -> Spec:
    order = sorted(documents, key=lambda each: float(each["loss"]))
    fields = [{**field, "rank": i + 1} for i, field in enumerate(_fields(order, short_names(order)))]
    points = scores.points(order, fields, names)
    scale = chart.ratio_scale(point["perplexity"] for point in points)
    marks = (
        alt.Chart(chart.values(points))
        .mark_point(size=28, opacity=0.8)
        .encode(
            x=alt.X("rank:Q", title="documents, by rising perplexity of the model", axis=alt.Axis(format=",")),
            y=alt.Y("perplexity:Q", title="perplexity", scale=scale, axis=chart.axis(scale, ticks=5)),
            color=chart.color(names),
            shape=chart.shape(names),
            tooltip=_tooltip(units),
        )
    )
    return chart.spec(marks, HEIGHT)


def _fields(documents: Sequence[dict[str, Any]], labels: Sequence[str]) -> list[dict[str, object]]:
    return [{"label": label, "document": each["name"], "split": each["split"]} for each, label in zip(documents, labels, strict=True)]


def _tooltip(units: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("document:N"),
        alt.Tooltip("split:N", title="text"),
        alt.Tooltip("predictor:N"),
        alt.Tooltip("perplexity:Q", format=",.1f"),
        alt.Tooltip("words:Q", title=units, format=","),
    ]


def finding(documents: Sequence[dict[str, Any]]) -> str:
    """Name the easiest and the hardest test document, and count where the model beats Kneser-Ney."""
    test = [each for each in documents if each["split"] == "test"] or list(documents)
    easy, hard = test[0], test[-1]
    if len(test) == 1:
        text = f"The only test document, {easy['name']}, has perplexity {numbers.perplexity(numbers.exp(easy['loss']))}"
    else:
        text = (
            f"Of {counted(len(test), 'test document')}, {easy['name']} is the easiest ({numbers.perplexity(numbers.exp(easy['loss']))}) "
            f"and {hard['name']} the hardest ({numbers.perplexity(numbers.exp(hard['loss']))})"
        )
    gains = [value for each in documents if (value := scores.gain(each)) is not None]
    if not gains:
        return f"{text}."
    better = sum(value > 0 for value in gains)
    if len(gains) == 1:
        return f"{text}; the model {'beats' if better else 'does not beat'} Kneser-Ney on the only held-out document."
    which = "all" if better == len(gains) else f"{better:,} of"
    return f"{text}; the model beats Kneser-Ney on {which} {counted(len(gains), 'held-out document')}."
