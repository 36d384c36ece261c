"""Perplexity of test text by position in a document: what the model gets from a longer context."""

import math
from collections.abc import Sequence

import altair as alt

from lstm_lm.ui.report import chart, numbers, scores
from lstm_lm.ui.report.figure import Figure, Spec, Table
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.scores import Group

HEIGHT = 250
FEW = 100  # a bin with fewer tokens is mostly noise


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without bins."""
    bins = scores.scored(inputs.part("positions", "test"))
    if not bins:
        return []
    units = numbers.units(inputs.unit)
    names, shown = scores.predictors(bins), scores.compared(bins)
    rows = [[label(each), numbers.count(each["words"]), *scores.perplexity_cells(each, names)] for each in bins]
    return [
        Figure(
            id="positions",
            title="Perplexity by position in the document",
            finding=finding(bins, inputs.unit),
            reading=(
                "Each document starts from the zero state. Falling means that earlier text helps. "
                f"Hollow marks are bins of fewer than {FEW} {units}."
            ),
            chart=_chart(bins, units),
            legend=chart.legend(shown),
            table=Table([f"position ({units} from the start)", f"test {units}", *(f"perplexity, {name}" for name in names)], rows),
        )
    ]


def label(group: Group) -> str:
    """Name a bin by its first and last position, counted from 1."""
    return f"{group['start'] + 1:,} to {group['end']:,}" if group.get("end") is not None else f"from {group['start'] + 1:,}"


def middle(group: Group) -> float:
    """The geometric middle of a bin, positions counted from 1."""
    start = group["start"] + 1
    return math.sqrt(start * max(group.get("end") or start, start))


def _chart(bins: Sequence[Group], units: str) -> Spec:
    names = scores.compared(bins)
    points = scores.points(bins, [{"position": middle(each), "bin": label(each), "few": each["words"] < FEW} for each in bins], names)
    across = chart.ratio_scale([point["position"] for point in points], wide=True)
    up = chart.ratio_scale(point["perplexity"] for point in points)
    base = alt.Chart(chart.values(points)).encode(
        x=alt.X("position:Q", title=f"{units} from the start of the document", scale=across, axis=chart.axis(across, grid=False)),
        y=alt.Y("perplexity:Q", title="perplexity", scale=up, axis=chart.axis(up, ticks=5)),
        tooltip=[
            alt.Tooltip("bin:N", title="position"),
            alt.Tooltip("predictor:N"),
            alt.Tooltip("perplexity:Q", format=",.1f"),
            alt.Tooltip("words:Q", title=f"test {units}", format=","),
        ],
    )
    color = chart.color(names)
    full, few = (base.transform_filter(f"{sign}datum.few").encode(color=color, shape=chart.shape(names)) for sign in ("!", ""))
    return chart.spec(
        alt.layer(
            base.mark_line().encode(color=color),
            full.mark_point(size=60, opacity=1),
            few.mark_point(size=60, opacity=1, filled=False, fill="white", strokeWidth=1.5),
        ),
        HEIGHT,
    )


def finding(bins: Sequence[Group], unit: str) -> str:
    """Compare the first and the last bin with enough tokens."""
    units = numbers.units(unit)
    full = [each for each in bins if each["words"] >= FEW]
    if len(full) < 2:
        return f"There are too few {units} to compare positions."
    first, last = full[0], full[-1]
    before, after = (numbers.exp(each["loss"]) for each in (first, last))
    change = last["loss"] - first["loss"]
    verb = "falls" if change < 0 else "rises"
    text = (
        f"The perplexity {verb} from {numbers.perplexity(before)} (positions {label(first)}) to {numbers.perplexity(after)} ({label(last)})"
    )
    gains = scores.gain(first), scores.gain(last)
    if gains[0] is None or gains[1] is None:
        return f"{text}."
    return f"{text}; the gain over Kneser-Ney goes from {gains[0]:.2f} to {gains[1]:.2f} nats per {numbers.units(unit, 1)}."
