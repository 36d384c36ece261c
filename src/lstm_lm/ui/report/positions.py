"""Perplexity of test text by position in a document, beside that of Kneser-Ney, which sees a few words of context everywhere."""

import math
from collections.abc import Sequence

import altair as alt

from lstm_lm.ui.report import chart, held_out_text, numbers, scores
from lstm_lm.ui.report.figure import Figure, Spec, Table
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.position_bins import MIN_WORDS, gains, label
from lstm_lm.ui.report.scores import Group

HEIGHT = 250
FEW = 100  # a bin with fewer tokens is mostly noise
NOTABLE_CHANGE = 0.05  # nats per token between two gains


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without bins."""
    bins = scores.scored(inputs.part("positions", "test"))
    if not bins:
        return []
    units, text = numbers.units(inputs.unit), held_out_text.name(inputs)
    names, shown = scores.predictors(bins), scores.compared(bins)
    rows = [[label(each), numbers.count(each["words"]), *scores.perplexity_cells(each, names)] for each in bins]
    return [
        Figure(
            id="positions",
            title=f"Perplexity by position in the {text}",
            finding=finding(bins, inputs.unit),
            reading=(
                f"Each {text} starts from the zero state. {_how_to_compare(names)} Hollow marks are bins of fewer than {FEW} {units}."
            ),
            chart=_chart(bins, units, text),
            legend=chart.legend(shown),
            table=Table([f"position ({units} from the start)", f"test {units}", *(f"perplexity, {name}" for name in names)], rows),
        )
    ]


def _how_to_compare(names: Sequence[str]) -> str:
    if chart.KNESER_NEY in names:
        return "Compare the curves: only a growing distance to Kneser-Ney shows that the model uses more context."
    return "Beginnings may be harder to predict for any model, so a falling curve does not show that context helps."


def middle(group: Group) -> float:
    """The geometric middle of a bin, positions counted from 1."""
    start = group["start"] + 1
    return math.sqrt(start * max(group.get("end") or start, start))


def _chart(bins: Sequence[Group], units: str, text: str) -> Spec:
    names = scores.compared(bins)
    points = scores.points(bins, [{"position": middle(each), "bin": label(each), "few": each["words"] < FEW} for each in bins], names)
    across = chart.ratio_scale([point["position"] for point in points], wide=True)
    up = chart.ratio_scale(point["perplexity"] for point in points)
    base = alt.Chart(chart.values(points)).encode(
        x=alt.X("position:Q", title=f"{units} from the start of the {text}", scale=across, axis=chart.axis(across, grid=False)),
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
    """Compare the gain over Kneser-Ney near the start with that after it, if there are enough tokens for that."""
    units = numbers.units(unit)
    if any(each.get("kneser_ney_loss") is None for each in bins):
        return "There is no baseline to compare positions with."
    found = gains(bins)
    if found is None:
        return f"There are too few {units} to compare positions: fewer than {MIN_WORDS:,} near the start or after it."
    change = found.late - found.early
    verdict = "grows" if change > NOTABLE_CHANGE else "shrinks" if change < -NOTABLE_CHANGE else "hardly changes"
    return (
        f"The gain over Kneser-Ney {verdict} with the position: {found.early:.2f} nats per {numbers.units(unit, 1)} at positions "
        f"{found.early_label}, and {found.late:.2f} at {found.late_label}."
    )
