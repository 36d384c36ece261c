"""The drift report: reports/drift.html, one file that loads nothing. Its look, charts and scripts are those of reports/report.html."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lstm_lm.io import atomic
from lstm_lm.serving.prompts import charts, verdict
from lstm_lm.serving.prompts.comparison import SURPRISAL
from lstm_lm.serving.prompts.report import DriftReport
from lstm_lm.ui import report as run_report
from lstm_lm.ui.report import chart, page, scripts
from lstm_lm.ui.report.figure import Table
from lstm_lm.wording import counted, unit_name

FILE = "reports/drift.html"
TEMPLATES = [Path(__file__).parent / "templates", Path(run_report.__file__).parent / "templates"]
STYLE = Path(run_report.__file__).parent / "report.css"


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
    rows = [[figure for figure in row if figure] for row in charts.figures(report)]
    script = scripts.script()
    judged = verdict.verdict(report.measures, len(report.distinct.prompts), report.unit)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("drift.html").render(
        policy=page.policy(script),
        style=Markup(STYLE.read_text(encoding="utf-8")),
        script=Markup(script),
        charts=Markup(
            page.json_element(
                {"config": chart.CONFIG, "charts": {figure.id: figure.chart for row in rows for figure in row if figure.chart}}
            )
        ),
        verdict=judged,
        number=_number(report),
        unit=unit_name(report.unit, 1),
        facts=facts(report),
        table=Table(verdict.COLUMNS, verdict.rows(report.measures, report.unit)),
        rows=[row for row in rows if row],
    )


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
