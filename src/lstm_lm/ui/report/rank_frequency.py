"""How often the tokens of the training text occur, by rank, and where the vocabulary is cut."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lstm_lm.ui.report import chart, numbers
from lstm_lm.ui.report.figure import Figure, Spec, Table
from lstm_lm.ui.report.inputs import Inputs

HEIGHT = 250


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without counts."""
    found = inputs.mapping("rank_frequency")
    points = found.get("points") or []
    if not points:
        return []
    unit, units = numbers.units(inputs.unit, 1), numbers.units(inputs.unit)
    cut = found.get("cut") or {}
    return [
        Figure(
            id="rank-frequency",
            title=f"How often each {unit} occurs in the training text",
            finding=finding(found, inputs.unit, (inputs.mapping("run").get("parameters") or {}).get("vocab.max_size")),
            reading=(
                "Both axes are logarithmic; in natural text, words fall on nearly a straight line (Zipf's law). "
                f"{units.capitalize()} right of the dashed line are unknown to the model."
            ),
            chart=_chart(points, cut, unit),
            table=Table.thinned(
                ["rank", "count"], [[numbers.count(each["rank"]), numbers.count(each["count"])] for each in points], text_columns=0
            ),
        )
    ]


def _chart(points: Sequence[Mapping[str, Any]], cut: Mapping[str, Any], unit: str) -> Spec:
    positive = [point for point in points if point["rank"] > 0 and point["count"] > 0]
    across, up = (chart.ratio_scale([point[name] for point in positive], wide=True) for name in ("rank", "count"))
    base = alt.Chart(chart.values(positive)).encode(
        x=alt.X("rank:Q", title=f"rank of the {unit}", scale=across, axis=chart.axis(across, grid=False)),
        y=alt.Y("count:Q", title="count", scale=up, axis=chart.axis(up)),
        tooltip=[alt.Tooltip("rank:Q", format=","), alt.Tooltip("count:Q", format=",")],
    )
    layers: list[alt.Chart] = [base.mark_line(color=chart.COLORS[chart.MODEL], point=alt.OverlayMarkDef(size=60, opacity=0))]
    if cut.get("rank") and len(positive) > 1:
        place = alt.Chart(chart.values([{"rank": cut["rank"], "label": f"{cut['rank']:,} known"}]))
        layers.append(place.mark_rule(strokeDash=[5, 4], color=chart.QUIET).encode(x="rank:Q"))
        layers.append(
            place.mark_text(align="right", dx=-6, baseline="top", color=chart.QUIET).encode(x="rank:Q", y=alt.value(2), text="label:N")
        )
    return chart.spec(alt.layer(*layers), HEIGHT)


def finding(found: Mapping[str, Any], unit: str, max_size: int | None = None) -> str:
    """Say how many tokens are kept, of how many, and from which count on.

    Args:
        found: of details.json.
        unit: what a token is.
        max_size: limit of the vocabulary, with which not all tokens that are as frequent as the rarest known one are kept.
    """
    cut, types, tokens = found.get("cut") or {}, found.get("types"), found.get("tokens")
    units, distinct = numbers.units(unit), numbers.count(types)
    text = f"The training text has {numbers.count(tokens)} {units}, {distinct} of them different"
    if not cut.get("rank"):
        return f"{text}."
    if types and cut["rank"] >= types:
        return f"{text}; the vocabulary has all of them."
    if max_size:
        kept = f"the {numbers.count(cut['rank'])} most frequent"
        return f"{text}; the vocabulary keeps {kept}, down to a count of {numbers.count(cut.get('count'))}."
    return f"{text}; the vocabulary keeps the {numbers.count(cut['rank'])} that occur {numbers.count(cut.get('count'))} times or more."
