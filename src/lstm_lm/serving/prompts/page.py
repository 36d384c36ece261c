"""The drift report: reports/drift.html, one file that loads nothing. Its look, charts and scripts are those of reports/report.html."""

from __future__ import annotations

from pathlib import Path

from lstm_lm.io import atomic
from lstm_lm.serving.prompts import charts, verdict
from lstm_lm.serving.prompts.comparison import SURPRISAL
from lstm_lm.serving.prompts.report import DriftReport
from lstm_lm.ui.report import page
from lstm_lm.ui.report.figure import Table
from lstm_lm.wording import counted, unit_name

FILE = "reports/drift.html"
TEMPLATES = Path(__file__).parent / "templates"


def write(report: DriftReport, folder: str | Path = ".") -> None:
    """Write the page.

    Args:
        report: what it shows.
        folder: of the project.
    """
    path = Path(folder) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, render(report))


def render(report: DriftReport) -> str:
    """Return the HTML. The same report gives the same text."""
    rows = [shown for row in charts.figures(report) if (shown := [figure for figure in row if figure])]
    values = {
        "verdict": verdict.verdict(report.measures, len(report.distinct.prompts), report.unit),
        "number": _number(report),
        "unit": unit_name(report.unit, 1),
        "facts": facts(report),
        "table": Table(verdict.COLUMNS, verdict.rows(report.measures, report.unit)),
        "rows": rows,
    }
    return page.render("drift.html", rows, values, [TEMPLATES])


def _number(report: DriftReport) -> str:
    value = report.measures[SURPRISAL].difference.value
    return f"{value:+.2f}"


def facts(report: DriftReport) -> list[str]:
    """What was compared, and what was left out."""
    found = report.distinct
    times = " to ".join(time[:16].replace("T", " ") for time in report.times)
    lines = [
        f"{counted(report.requests, 'prompt')}, {len(found.prompts):,} of them different, from {times} UTC.",
        f"{report.validation_words:,} {unit_name(report.unit)} of the validation text, in pieces as long as prompts are.",
    ]
    if report.other_models:
        lines.append(f"{counted(report.other_models, 'prompt')} went to a model with other weights than this checkout's.")
    if found.omitted:
        lines.append(f"{counted(found.omitted, 'different prompt was', 'different prompts were')} left out: there are too many.")
    if found.wordless:
        lines.append(f"{counted(found.wordless, 'prompt has', 'prompts have')} no {unit_name(report.unit, 1)}.")
    if report.damaged:
        lines.append(f"{counted(report.damaged, 'line')} of the log could not be read.")
    return lines
