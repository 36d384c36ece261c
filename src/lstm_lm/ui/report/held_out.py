"""Held-out results of the model beside its baselines, its parent and the champion, with 95% intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lstm_lm.ui.report import chart, numbers
from lstm_lm.ui.report.figure import Figure, Spec, Table
from lstm_lm.ui.report.inputs import SPLIT_TITLES, Inputs

STEP = 52  # pixels of a row: its name, and a mark for each split
LOOKS = {"test": (2, 90, 2.5), "validation": (14, 50, 1.2)}  # pixels below the middle of the row, size of the mark, width of the interval
KEYS = ("perplexity", "adjusted_perplexity", "bits_per_character")

Result = dict[str, Any]  # predictor, name, split, and the keys of KEYS, each with _low and _high; values are None if unknown


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure of perplexity and that of bits per character; none without test results."""
    rows = results(inputs)
    if not any(row["split"] == "test" and row["predictor"] == chart.MODEL for row in rows):
        return []
    unit = numbers.units(inputs.unit, 1)
    references = [row["name"] for row in rows if row["predictor"] in ("champion", "parent")]
    return [
        Figure(
            id="held-out-perplexity",
            title="Held-out perplexity",
            finding=perplexity_finding(inputs, rows),
            reading=(
                "Lower is better. Filled marks are test text, hollow ones validation text; lines are 95% intervals. Perplexity is only "
                f"comparable with the same vocabulary{'; with another one, bits per character are a rough guide' if references else ''}."
            ),
            chart=results_chart(rows, "perplexity", f"perplexity per {unit}"),
            table=_table(rows, inputs.unit),
        ),
        Figure(
            id="held-out-bits",
            title="Held-out bits per character",
            finding=bits_finding(rows),
            reading=(
                f"Lower is better. An unknown {unit} costs only its choice from a list of all unknown ones, which is taken as known. That "
                "favors models of words over those of characters and subwords, which spell such words out."
            ),
            chart=results_chart(rows, "bits_per_character", "bits per character"),
        ),
    ]


def results(inputs: Inputs) -> list[Result]:
    """Return one result for each predictor and split: those of reports/metrics.json, then parent and champion on test text."""
    rows = []
    for split in SPLIT_TITLES:
        metrics = inputs.metrics.get(split, {})
        for predictor, prefix in chart.PREFIXES.items():
            if f"{prefix}perplexity" in metrics:
                rows.append(
                    _result(
                        predictor, predictor, split, {key.removeprefix(prefix): metrics[key] for key in metrics if key.startswith(prefix)}
                    )
                )
    for predictor, reference in (inputs.details.get("references") or {}).items():
        # A result on another text says nothing here.
        if reference and reference.get("same_text", True) and reference.get("perplexity"):
            rows.append(_result(predictor, f"{predictor}: {reference.get('name') or 'unnamed'}", "test", reference))
    order = list(chart.COLORS)
    return sorted(rows, key=lambda row: order.index(row["predictor"]))


def _result(predictor: str, name: str, split: str, metrics: Mapping[str, Any]) -> Result:
    ends = {f"{key}{end}": metrics.get(f"{key}{end}") for key in KEYS for end in ("", "_low", "_high")}
    return {"predictor": predictor, "name": name, "split": split, "loss": metrics.get("loss"), **ends}


def results_chart(rows: Sequence[Result], key: str, title: str) -> Spec:
    """Draw one metric of some results as dots with intervals, one row for each predictor."""
    shown = [
        {
            "predictor": row["predictor"],
            "name": row["name"],
            "split": row["split"],
            "value": row[key],
            "low": row[f"{key}_low"],
            "high": row[f"{key}_high"],
            "shown": _shown(row, key),
        }
        for row in rows
        if row[key] is not None
    ]
    names = list(dict.fromkeys(str(row["name"]) for row in shown))
    predictors = list(dict.fromkeys(str(row["predictor"]) for row in shown))
    labels = {str(row["name"]): _label(row) for row in shown if row["split"] == "test"}
    scale = chart.ratio_scale(number for row in shown for number in (row["value"], row["low"], row["high"]))
    tooltip = [alt.Tooltip("name:N", title="predictor"), alt.Tooltip("split:N", title="text"), alt.Tooltip("shown:N", title=title)]
    base = alt.Chart(chart.values(shown)).encode(y=chart.rows("name", names), color=chart.color(predictors), tooltip=tooltip)
    x = alt.X("value:Q", title=title, scale=scale, axis=chart.axis(scale))
    layers: list[alt.Chart] = [chart.row_labels("name", names, labels, STEP)]
    for split, (offset, size, width) in LOOKS.items():
        part = base.transform_filter(f"datum.split == '{split}'")
        interval = part.transform_filter("isValid(datum.low) && isValid(datum.high)")
        layers.append(
            interval.mark_rule(strokeWidth=width, yOffset=offset, y2Offset=offset).encode(
                x=alt.X("low:Q", scale=scale, title=title), x2="high:Q"
            )
        )
        marks = part.mark_point(size=size, opacity=1, yOffset=offset)
        if split != "test":
            marks = part.mark_point(size=size, opacity=1, yOffset=offset, filled=False, fill="white", strokeWidth=1.5)
        layers.append(marks.encode(x=x, shape=chart.shape(predictors)))
    return chart.spec(alt.layer(*layers), STEP * len(names))


def _label(row: Mapping[str, Any]) -> str:
    """Name a row: predictor, value, then what a narrow window may cut, the name of a reference."""
    rest = str(row["name"]).removeprefix(row["predictor"]).removeprefix(": ")
    return f"{row['predictor']}: {row['shown']}" + (f", {rest}" if rest else "")


def _shown(row: Result, key: str) -> str:
    form = numbers.perplexity if key == "perplexity" else numbers.decimals
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return form(row[key]) + (f" ({form(low)} to {form(high)})" if low is not None and high is not None else "")


def perplexity_finding(inputs: Inputs, rows: Sequence[Result]) -> str:
    """Compare the test perplexity with Kneser-Ney's by their paired difference, or say what it is."""
    test = inputs.metrics["test"]
    own = test["perplexity"]
    interval = numbers.interval(test.get("perplexity_low"), test.get("perplexity_high"))
    text = f"The test perplexity is {numbers.perplexity(own)}" + (f" (95% interval {interval})" if interval else "")
    other = test.get("kneser_ney_perplexity")
    if other is None:
        return f"{text}; there are no n-gram baselines to compare it with."
    text += f", that of Kneser-Ney {numbers.perplexity(other)}"
    gain, low, high = (test.get(f"gain_over_kneser_ney{end}") for end in ("", "_low", "_high"))
    if gain is None or low is None or high is None:
        return f"{text}."
    is_better = gain >= 0
    ends = (low, high) if is_better else (-high, -low)
    by = f"{abs(gain):.3f} nats per {numbers.units(inputs.unit, 1)}"
    interval = f"({ends[0]:.3f} to {ends[1]:.3f}, paired)"
    direction = "better" if is_better else "worse"
    if low <= 0 <= high:
        return f"{text}: the two are not clearly different; the model is {by} {direction} {interval}."
    return f"{text}: the model is clearly {direction}, by {by} {interval}."


def bits_finding(rows: Sequence[Result]) -> str:
    """Rank the model among all predictors of the same text."""
    test = [row for row in rows if row["split"] == "test" and row["bits_per_character"] is not None]
    ranked = sorted(test, key=lambda row: row["bits_per_character"])
    own = next((row for row in ranked if row["predictor"] == chart.MODEL), None)
    if own is None:
        return "There is no result for this model."
    text = f"The model needs {own['bits_per_character']:.3f} bits per character"
    if len(ranked) == 1:
        return f"{text}."
    if ranked[0] is own:
        next_one = f"{ranked[1]['name']} with {ranked[1]['bits_per_character']:.3f}"
        return (
            f"{text}, fewer than {next_one}."
            if len(ranked) == 2
            else f"{text}, fewer than the {len(ranked) - 1} others; next is {next_one}."
        )
    return f"{text}; {ranked[0]['name']} needs the fewest, {ranked[0]['bits_per_character']:.3f}."


def _table(rows: Sequence[Result], unit: str) -> Table:
    columns = [
        "predictor",
        "text",
        f"loss (nats per {numbers.units(unit, 1)})",
        "perplexity",
        "95% interval",
        "adjusted perplexity",
        "bits per character",
    ]
    cells = [
        [
            row["name"],
            row["split"],
            numbers.decimals(row["loss"]),
            numbers.perplexity(row["perplexity"]),
            numbers.interval(row["perplexity_low"], row["perplexity_high"]) or "-",
            numbers.perplexity(row["adjusted_perplexity"]),
            numbers.decimals(row["bits_per_character"]),
        ]
        for row in rows
    ]
    return Table(columns, cells, text_columns=2)
