"""The figures of the drift report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from lstm_lm.serving.prompts.comparison import SURPRISAL, UNKNOWN, Estimate
from lstm_lm.serving.prompts.report import MIN_WORDS, DriftReport, Period
from lstm_lm.ui.report import chart, numbers
from lstm_lm.ui.report.figure import Figure, Key, Table
from lstm_lm.wording import counted, unit_name

PROMPTS, VALIDATION = "prompts", "validation text"
COLORS = {PROMPTS: chart.COLORS[chart.MODEL], VALIDATION: chart.COLORS[chart.KNESER_NEY]}
HEIGHT = 220
BINS = 40


def figures(report: DriftReport) -> list[list[Figure]]:
    """Return the figures, in rows."""
    unit = unit_name(report.unit)
    course = [
        _course(report, SURPRISAL, "Surprisal over time", f"bits per {unit_name(report.unit, 1)}"),
        _course(report, UNKNOWN, f"Unknown {unit} over time", f"fraction of the {unit}"),
    ]
    return [course, [_distribution(report), _lengths(report)], [*_words(report), _prompts(report)]]


def _course(report: DriftReport, measure: str, title: str, label: str) -> Figure:
    found = report.measures[measure].validation
    is_percent = measure == UNKNOWN
    form = ".1%" if is_percent else ".2f"
    rows: list[dict[str, Any]] = [
        {"start": period.start, "end": period.end, "number": i + 1, "value": value, "prompts": period.prompts}
        for i, period in enumerate(report.periods)
        if not math.isnan(value := _value(period, measure))
    ]
    shown = [row["value"] for row in rows]
    finding = f"Between {min(shown):{form}} and {max(shown):{form}}; the validation text: {found.value:{form}}." if shown else ""
    return Figure(
        id=f"course-{measure}",
        title=title,
        finding=finding,
        reading="Each point is a group of different prompts, in order of time. The band is the 95% interval of the validation text.",
        chart=chart.spec(_course_chart(rows, found, label, form), HEIGHT),
        legend=[Key(PROMPTS, COLORS[PROMPTS]), Key(VALIDATION, COLORS[VALIDATION], "line")],
        table=Table(
            ["from", "to", PROMPTS, label],
            [
                [_time(period.start), _time(period.end), f"{period.prompts:,}", f"{_value(period, measure):{form}}"]
                for period in report.periods
            ],
            text_columns=2,
        ),
    )


def _value(period: Period, measure: str) -> float:
    return period.surprisal if measure == SURPRISAL else period.unknown


def _time(text: str) -> str:
    """`2026-11-29T22:50:08.123+00:00` -> `2026-11-29 22:50`."""
    return text[:16].replace("T", " ")


def _course_chart(rows: Sequence[dict[str, Any]], found: Estimate, label: str, form: str) -> Any:
    values = [row["value"] for row in rows] + [each for each in (found.value, found.low, found.high) if not math.isnan(each)]
    room = 0.1 * (max(values) - min(values)) or 0.05 * max(values) or 0.01
    scale = alt.Scale(domain=[max(0.0, min(values) - room), max(values) + room], nice=False, zero=False)
    y = alt.Y("value:Q", title=label, scale=scale, axis=alt.Axis(tickCount=5, format=form))
    band = alt.Chart(chart.values([{"low": found.low, "high": found.high}] if not math.isnan(found.low) else []))
    level = alt.Chart(chart.values([{"value": found.value}])).mark_rule(color=COLORS[VALIDATION], strokeWidth=2)
    base = alt.Chart(chart.values(rows)).encode(
        x=alt.X("start:T", title=None, axis=alt.Axis(tickCount=5)),
        y=y,
        tooltip=[
            alt.Tooltip("start:T", title="from", format="%Y-%m-%d %H:%M"),
            alt.Tooltip("end:T", title="to", format="%Y-%m-%d %H:%M"),
            alt.Tooltip("prompts:Q", format=","),
            alt.Tooltip("value:Q", title=label, format=form),
        ],
    )
    return alt.layer(
        band.mark_rect(color=COLORS[VALIDATION], opacity=0.15).encode(y=alt.Y("low:Q", scale=scale, title=label), y2="high:Q"),
        level.encode(y=y),
        base.mark_line(color=COLORS[PROMPTS], opacity=0.5),
        base.mark_point(color=COLORS[PROMPTS], opacity=1),
    )


def _distribution(report: DriftReport) -> Figure:
    ours, theirs = report.prompt_bits, report.piece_bits
    high = float(np.quantile(np.concatenate([ours, theirs]), 0.995)) or 1.0
    edges = np.linspace(0, high, BINS + 1)
    rows = [
        {"text": name, "start": float(start), "end": float(stop), "fraction": float(count)}
        for name, bits in ((PROMPTS, ours), (VALIDATION, theirs))
        for start, stop, count in zip(edges, edges[1:], histogram(bits, edges), strict=False)
    ]
    median, other = (float(np.median(bits)) if len(bits) else math.nan for bits in (ours, theirs))
    unit = unit_name(report.unit, 1)
    steps = (
        alt.Chart(chart.values(rows))
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("start:Q", title=f"bits per {unit}", axis=alt.Axis(tickCount=6), scale=alt.Scale(domain=[0, high], nice=False)),
            y=alt.Y("fraction:Q", title="fraction", axis=alt.Axis(tickCount=4, format="%")),
            color=alt.Color("text:N", scale=alt.Scale(domain=list(COLORS), range=list(COLORS.values())), legend=None),
            tooltip=[
                alt.Tooltip("text:N"),
                alt.Tooltip("start:Q", format=".1f"),
                alt.Tooltip("end:Q", format=".1f"),
                alt.Tooltip("fraction:Q", format=".1%"),
            ],
        )
    )
    return Figure(
        id="distribution",
        title="Surprisal of whole prompts",
        finding=f"The median is {median:.2f} bits per {unit}; of the validation text, {other:.2f}.",
        reading="Pieces of the validation text are as long as prompts. A second hump to the right is a group of prompts of another kind.",
        chart=chart.spec(steps, HEIGHT),
        legend=[Key(name, color, "line") for name, color in COLORS.items()],
    )


def histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Fractions of the values in each bin, float64 [bins]; larger values count to the last one."""
    counts, _ = np.histogram(np.minimum(values, edges[-1]), edges)
    return np.asarray(counts / max(len(values), 1))


def _lengths(report: DriftReport) -> Figure:
    found = report.distinct
    lengths = np.repeat([len(tokens) for tokens in found.tokens], found.counts)
    high = max(2, int(np.quantile(lengths, 0.99)))
    counts = np.bincount(np.minimum(lengths, high), minlength=high + 1)[1:]
    size = max(1, math.ceil(high / BINS))
    rows = [
        {"start": start + 1, "end": min(start + size, high), "fraction": float(counts[start : start + size].sum() / len(lengths))}
        for start in range(0, high, size)
    ]
    unit = unit_name(report.unit)
    bars = (
        alt.Chart(chart.values(rows))
        .mark_bar(color=COLORS[PROMPTS])
        .encode(
            x=alt.X("start:Q", bin="binned", title=unit, axis=alt.Axis(tickCount=6, format="d")),
            x2="stop:Q",
            y=alt.Y("fraction:Q", title="fraction of the prompts", axis=alt.Axis(tickCount=4, format="%")),
            tooltip=[alt.Tooltip("start:Q", title="from"), alt.Tooltip("end:Q", title="to"), alt.Tooltip("fraction:Q", format=".1%")],
        )
        .transform_calculate(stop=f"datum.start + {size}")
    )
    quantiles = report.lengths
    return Figure(
        id="lengths",
        title="Length of prompts",
        finding=f"Half have at most {quantiles[0.5]:,} {unit}, nine of ten at most {quantiles[0.9]:,}. The longest has {quantiles[1.0]:,}.",
        reading=f"The last bar holds all prompts of {high:,} {unit} and more.",
        chart=chart.spec(bars, HEIGHT),
    )


def _words(report: DriftReport) -> list[Figure]:
    if not report.words:
        return []
    unit = unit_name(report.unit)
    rare = sum(1 for word in report.words if word.in_text)
    where = (
        f" {rare} of these {len(report.words)} are in the training text, but too rarely for the vocabulary (vocab.min_count)."
        if rare
        else ""
    )
    table = Table(
        [unit_name(report.unit, 1), PROMPTS, "in training text"],
        [[word.word, f"{word.requests:,}", numbers.count(word.in_text)] for word in report.words],
    )
    finding = f"“{report.words[0].word}” is in {counted(report.words[0].requests, 'prompt')}.{where}"
    reading = f"By the number of prompts with them. Training on new text, or with a lower vocab.min_count, makes {unit} known."
    return [Figure("unknown-words", f"Unknown {unit}", finding, reading, template="statistics.html", data={"table": table})]


def _prompts(report: DriftReport) -> Figure:
    unit = unit_name(report.unit, 1)
    table = Table(["prompt", f"bits per {unit}"], [[shortened(prompt), f"{bits:.2f}"] for prompt, bits in report.surprising])
    reading = "Look for a language, a topic or a format that the model was not trained on."
    shown = counted(len(report.surprising), "prompt")
    finding = f"The {shown} with the most bits per {unit}, of those with at least {MIN_WORDS} {unit_name(report.unit)}."
    return Figure("surprising", "Most surprising prompts", finding, reading, template="statistics.html", data={"table": table})


def shortened(prompt: str, limit: int = 120) -> str:
    """The beginning of a prompt, in one line."""
    line = " ".join(prompt.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
