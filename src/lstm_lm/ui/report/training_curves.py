"""Curves of the training over the words seen: loss, learning rate, gradient norm, speed."""

import statistics
from collections.abc import Sequence

import altair as alt

from lstm_lm.events import Row
from lstm_lm.ui.report import chart, numbers
from lstm_lm.ui.report.figure import Figure, Key, Table, thin
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.wording import duration

MAX_POINTS = 500  # of a curve
TRAINING, VALIDATION = "training", "validation"
HEIGHT, SMALL_HEIGHT = 300, 150
SERIES_COLORS = {TRAINING: "#7ea6e0", VALIDATION: "#123f85", chart.KNESER_NEY: chart.COLORS[chart.KNESER_NEY]}
DASHES = {TRAINING: [1, 0], VALIDATION: [1, 0], chart.KNESER_NEY: [6, 4]}


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure of the losses and three smaller ones; none without a history."""
    rows = inputs.history
    if not rows:
        return []
    return [loss(inputs), learning_rate(inputs), gradient_norm(inputs), speed(inputs)]


def curve_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that a curve shows: all of them, or `MAX_POINTS` evenly spaced ones."""
    return thin(rows, MAX_POINTS)


def validations(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with a validation, the best one in any case, evenly spaced if there are many."""
    validated = [row for row in rows if row.validation_loss is not None]
    shown = thin(validated, MAX_POINTS)
    best = best_validation(rows)
    if best and best not in shown:
        shown = sorted([*shown, best], key=lambda row: row.step)
    return shown


def best_validation(rows: Sequence[Row]) -> Row | None:
    """Return the first row with the lowest validation loss, or None."""
    validated = [row for row in rows if row.validation_loss is not None]
    return min(validated, key=lambda row: row.validation_loss or 0.0) if validated else None


def loss_points(inputs: Inputs) -> list[dict[str, object]]:
    """Return the points of the curves of loss: series, words seen, loss in nats per token."""
    training: list[dict[str, object]] = [
        {"series": TRAINING, "words": row.words_seen, "loss": row.loss, "epoch": row.epoch} for row in curve_rows(inputs.history)
    ]
    validation: list[dict[str, object]] = [
        {"series": VALIDATION, "words": row.words_seen, "loss": row.validation_loss, "epoch": row.epoch}
        for row in validations(inputs.history)
    ]
    return [*training, *validation]


def loss(inputs: Inputs) -> Figure:
    """The training loss and the validation loss, with that of Kneser-Ney on the same text."""
    unit = numbers.units(inputs.unit, 1)
    baseline = inputs.metrics.get("validation", {}).get("kneser_ney_loss")
    points = loss_points(inputs)
    names = [name for name in SERIES_COLORS if any(point["series"] == name for point in points) or (name == chart.KNESER_NEY and baseline)]
    color = alt.Color("series:N", scale=alt.Scale(domain=names, range=[SERIES_COLORS[name] for name in names]), legend=None)
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[DASHES[name] for name in names]), legend=None)
    base = alt.Chart(chart.values(points)).encode(
        x=_words_axis(inputs),
        y=alt.Y("loss:Q", title=f"loss, nats per {unit}", scale=alt.Scale(zero=False)),
        color=color,
        tooltip=[
            alt.Tooltip("series:N", title="loss"),
            alt.Tooltip("loss:Q", title=f"nats per {unit}", format=".3f"),
            alt.Tooltip("words:Q", title=f"{numbers.units(inputs.unit)} seen", format=","),
            alt.Tooltip("epoch:O", title="epoch"),
        ],
    )
    marks = base.transform_filter(f"datum.series == '{VALIDATION}'").mark_point(size=60, opacity=1)
    hover = base.transform_filter(f"datum.series == '{TRAINING}'").mark_point(size=120, opacity=0)
    layers: list[alt.Chart] = [base.mark_line().encode(strokeDash=dash), hover, marks]
    if baseline:
        line = alt.Chart(chart.values([{"series": chart.KNESER_NEY, "loss": baseline}]))
        layers.insert(0, line.mark_rule(strokeWidth=1.5).encode(y="loss:Q", color=color, strokeDash=dash))
    columns = [
        "step",
        f"{numbers.units(inputs.unit)} seen",
        "epoch",
        f"training loss (nats per {unit})",
        "validation loss",
        "learning rate",
        "gradient norm",
        f"{numbers.units(inputs.unit)}/s",
    ]
    return Figure(
        id="training-loss",
        title="Training and validation loss",
        finding=loss_finding(inputs, baseline),
        reading=(
            "The loss falls as the model learns. A validation curve that turns up while the training curve falls would be overfitting"
            + ("; training text is scored with dropout, so its curve may lie above." if has_dropout(inputs) else ".")
        ),
        chart=chart.spec(alt.layer(*layers), HEIGHT),
        legend=[Key(_title(name, inputs), SERIES_COLORS[name], "dashes" if name == chart.KNESER_NEY else "line") for name in names],
        table=Table.thinned(columns, [_cells(row) for row in inputs.history], text_columns=0),
    )


def loss_finding(inputs: Inputs, baseline: float | None) -> str:
    """Say when the validation loss was lowest, and when it passed that of Kneser-Ney."""
    best = best_validation(inputs.history)
    last, unit = inputs.history[-1], numbers.units(inputs.unit)
    if best is None:
        return f"The training loss ends at {last.loss:.3f}; the history has no validation."
    validated = [row for row in inputs.history if row.validation_loss is not None]
    lowest = numbers.perplexity(numbers.exp(best.validation_loss))
    text = (
        f"The validation loss is lowest at {best.validation_loss:.3f} (perplexity {lowest}), "
        f"in epoch {best.epoch} after {best.words_seen:,} {unit}"
    )
    text += f", the last of {len(validated)} validations" if best == validated[-1] and len(validated) > 1 else ""
    if baseline is None:
        return f"{text}."
    return f"{text}; {_beside_baseline(validated, baseline)}."


def _beside_baseline(validated: Sequence[Row], baseline: float) -> str:
    """Say from which epoch on the validation loss stays below that of Kneser-Ney."""
    is_below = [row.validation_loss is not None and row.validation_loss < baseline for row in validated]
    other = f"that of Kneser-Ney, {baseline:.3f}"
    if not any(is_below):
        return f"it never falls below {other}"
    if not is_below[-1]:
        return f"it is first below {other}, in epoch {validated[is_below.index(True)].epoch}, and above again at the end"
    first = len(is_below) - next((i for i, below in enumerate(reversed(is_below)) if not below), len(is_below))
    return f"from epoch {validated[first].epoch} on it has been below {other}"


def has_dropout(inputs: Inputs) -> bool:
    """Whether the parameters of the run, if they are known, have any dropout."""
    parameters = inputs.mapping("run").get("parameters") or {}
    return any(value for name, value in parameters.items() if name.startswith("model.dropout_"))


def learning_rate(inputs: Inputs) -> Figure:
    """The learning rate over the words seen."""
    rates = [row.learning_rate for row in inputs.history]
    peak = max(range(len(rates)), key=rates.__getitem__)
    if min(rates) == max(rates):
        finding = f"The learning rate is {rates[0]:g} throughout."
    else:
        finding = f"It peaks at {rates[peak]:.4g} (step {inputs.history[peak].step:,}) and ends at {rates[-1]:.2g}."
    return _small(
        inputs,
        "learning_rate",
        "Learning rate",
        "learning rate",
        finding,
        "A warm-up is a rise at the start; a schedule is the fall after it.",
    )


def gradient_norm(inputs: Inputs) -> Figure:
    """The norm of the gradient before clipping over the words seen."""
    norms = [row.gradient_norm for row in inputs.history]
    finding = f"The mean norm is between {min(norms):.3g} and {max(norms):.3g}"
    limit = (inputs.mapping("run").get("parameters") or {}).get("train.clip_norm")
    if limit:
        clipped = sum(norm > limit for norm in norms)
        above = f"{clipped:,} of the {len(norms):,} logged means {'is' if clipped == 1 else 'are'} above that" if clipped else ""
        finding += f"; the gradient is clipped at {limit:g}; {above or f'none of the {len(norms):,} logged means is above that'}"
    return _small(
        inputs, "gradient_norm", "Gradient norm", "norm before clipping", f"{finding}.", "Sudden jumps are a sign of an unstable training."
    )


def speed(inputs: Inputs) -> Figure:
    """The words trained per second over the words seen."""
    unit = numbers.units(inputs.unit)
    speeds = [row.words_per_second for row in inputs.history]
    time = duration(inputs.training_seconds)
    finding = f"The median is {statistics.median(speeds):,.0f} {unit}/s; the training took {time}."
    return _small(
        inputs, "words_per_second", "Speed", f"{unit} per second", finding, "Dips are other work on the machine; validation does not count."
    )


def _small(inputs: Inputs, field: str, title: str, axis: str, finding: str, reading: str) -> Figure:
    unit = numbers.units(inputs.unit)
    points = [{"words": row.words_seen, "value": getattr(row, field)} for row in curve_rows(inputs.history)]
    base = alt.Chart(chart.values(points)).encode(
        x=_words_axis(inputs, tick_count=3),
        y=alt.Y(
            "value:Q",
            title=axis,
            scale=alt.Scale(zero=True),
            axis=alt.Axis(tickCount=4, labelExpr=chart.SHORT if field == "words_per_second" else alt.Undefined),
        ),
        tooltip=[alt.Tooltip("value:Q", title=axis, format=",.4~g"), alt.Tooltip("words:Q", title=f"{unit} seen", format=",")],
    )
    line = base.mark_line(color=chart.COLORS[chart.MODEL], point=alt.OverlayMarkDef(size=80, opacity=0))
    return Figure(
        id=field.replace("_", "-"),
        title=title,
        finding=finding,
        reading=reading,
        chart=chart.spec(line, SMALL_HEIGHT),
        table=Table.thinned(
            ["step", f"{unit} seen", axis],
            [[f"{row.step:,}", f"{row.words_seen:,}", f"{getattr(row, field):.4g}"] for row in inputs.history],
            0,
        ),
    )


def _words_axis(inputs: Inputs, tick_count: int = 6) -> alt.X:
    unit = numbers.units(inputs.unit)
    return alt.X(
        "words:Q",
        title=f"training {unit} seen",
        axis=alt.Axis(labelExpr=chart.SHORT, tickCount=tick_count),
        scale=alt.Scale(zero=True, nice=False),
    )


def _title(series: str, inputs: Inputs) -> str:
    if series == TRAINING and has_dropout(inputs):
        return f"{series}, with dropout"
    return f"{series} on validation text" if series == chart.KNESER_NEY else series


def _cells(row: Row) -> list[str]:
    return [
        f"{row.step:,}",
        f"{row.words_seen:,}",
        f"{row.epoch}",
        f"{row.loss:.3f}",
        "" if row.validation_loss is None else f"{row.validation_loss:.3f}",
        f"{row.learning_rate:.3g}",
        f"{row.gradient_norm:.3g}",
        f"{row.words_per_second:,.0f}",
    ]
