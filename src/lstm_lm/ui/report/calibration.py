"""Whether the model's probabilities are right: how often its most probable token is the next one."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lstm_lm.ui.report import chart, numbers
from lstm_lm.ui.report.figure import Figure, Spec, Table
from lstm_lm.ui.report.inputs import Inputs

HEIGHT = 280


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none if the calibration is unknown."""
    test = (inputs.mapping("calibration")).get("test") or {}
    bins = filled(test.get("bins") or [])
    if not bins:
        return []
    unit, units = numbers.units(inputs.unit, 1), numbers.units(inputs.unit)
    rows = [
        [
            f"{each['low']:.2f} to {each['high']:.2f}",
            numbers.count(each["words"]),
            numbers.percent(each["mean_probability"]),
            numbers.percent(each["fraction_correct"]),
        ]
        for each in bins
    ]
    return [
        Figure(
            id="calibration",
            title="Calibration",
            finding=finding(test, inputs.unit, inputs.metrics.get("test", {}).get("words")),
            reading=(
                f"For the most probable {unit} at each place: how often it is right, by its probability. On the diagonal, the model is as "
                f"sure as it should be; below it, too sure. Larger marks hold more {units}."
            ),
            chart=_chart(bins, units),
            table=Table(["probability", f"test {units}", "mean probability", "fraction right"], rows),
        )
    ]


def filled(bins: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the bins that hold any token."""
    return [
        each for each in bins if each.get("words") and each.get("fraction_correct") is not None and each.get("mean_probability") is not None
    ]


def _chart(bins: Sequence[Mapping[str, Any]], units: str) -> Spec:
    top = min(1.0, 1.08 * max(max(each["mean_probability"], each["fraction_correct"]) for each in bins))
    scale = alt.Scale(domain=[0, top], nice=False)
    diagonal = (
        alt.Chart(chart.values([{"x": 0, "y": 0}, {"x": top, "y": top}]))
        .mark_line(color="#9aa3b0", strokeDash=[5, 4], strokeWidth=1.5)
        .encode(x="x:Q", y="y:Q")
    )
    base = alt.Chart(chart.values(bins)).encode(
        x=alt.X("mean_probability:Q", title="mean probability", scale=scale, axis=alt.Axis(format="~%", tickCount=5)),
        y=alt.Y("fraction_correct:Q", title="fraction right", scale=scale, axis=alt.Axis(format="~%", tickCount=5)),
    )
    line = base.mark_line(color=chart.COLORS[chart.MODEL], opacity=0.5)
    marks = base.mark_point(color=chart.COLORS[chart.MODEL], opacity=1).encode(
        size=alt.Size("words:Q", scale=alt.Scale(type="sqrt", range=[25, 300]), legend=None),
        tooltip=[
            alt.Tooltip("mean_probability:Q", title="mean probability", format=".1%"),
            alt.Tooltip("fraction_correct:Q", title="fraction right", format=".1%"),
            alt.Tooltip("words:Q", title=f"test {units}", format=","),
        ],
    )
    return chart.spec(alt.layer(diagonal, line, marks), HEIGHT)


def is_part(words: float | None, scored: float | None) -> bool:
    """Whether the calibration is that of fewer tokens than were scored."""
    return bool(words and scored and words < scored)


def finding(test: Mapping[str, Any], unit: str, scored: float | None = None) -> str:
    """Say how often the model is right, and by how much its probabilities are off.

    Args:
        test: calibration of the test text.
        unit: what a token is.
        scored: tokens of the whole test text.
    """
    top = {k: test.get(f"top_{k}") for k in (1, 5, 10)}
    unit_name = numbers.units(unit, 1)
    parts = []
    if top[1] is not None:
        parts.append(
            f"The next {unit_name} is the most probable one, counting <unk> as a guess, at {numbers.percent(top[1])} of the places"
        )
        parts += [f"among the first {k} at {numbers.percent(top[k])}" for k in (5, 10) if top[k] is not None]
    error = test.get("expected_calibration_error")
    text = ", ".join(parts)
    if error is None:
        return f"{text}." if text else "The calibration error is unknown."
    words = test.get("words")
    part = f" Measured on {numbers.count(words)} {numbers.units(unit)} spread over the test text." if is_part(words, scored) else ""
    off = f"On average the probabilities are off by {100 * error:.1f} percentage points (expected calibration error).{part}"
    return f"{text}. {off}" if text else off
