"""The page: reports/report.html, one file that loads nothing."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lstm_lm.ui.report import (
    calibration,
    chart,
    documents,
    frequency_bands,
    graphs,
    held_out,
    neighbours,
    passage,
    positions,
    rank_frequency,
    samples,
    scripts,
    training_curves,
    training_samples,
    word_map,
)
from lstm_lm.ui.report.data_section import data_section
from lstm_lm.ui.report.figure import Figure
from lstm_lm.ui.report.headline import headline
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.reproduction import reproduction

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        id: of its element.
        title: its heading.
        rows: figures that stand side by side where there is room.
        missing: what to show where there is no figure.
    """

    id: str
    title: str
    rows: Sequence[Sequence[Figure]]
    missing: str = ""


def page(inputs: Inputs) -> str:
    """Return the HTML of the report. The same inputs give the same text."""
    parts = sections(inputs)
    rows = [row for section in parts for row in section.rows]
    values = {"head": headline(inputs), "sections": parts, "data": data_section(inputs), "reproduction": reproduction(inputs)}
    return render("page.html", rows, values)


def render(template: str, rows: Iterable[Sequence[Figure]], values: Mapping[str, object], folders: Sequence[Path] = ()) -> str:
    """Return the HTML of a page that extends frame.html, with this package's style, script and charts.

    Args:
        template: its name.
        rows: all figures of the page.
        values: of the template.
        folders: with templates, besides this package's.
    """
    charts = {"config": chart.CONFIG, "charts": {figure.id: figure.chart for row in rows for figure in row if figure.chart}}
    script = scripts.script()
    loader = FileSystemLoader([*folders, FOLDER / "templates"])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(template).render(
        policy=policy(script),
        style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        charts=Markup(json_element(charts)),
        **values,
    )


def policy(script: str) -> str:
    """A Content-Security-Policy under which the page runs this script and nothing else, and loads nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def json_element(value: object) -> str:
    """Return JSON that may stand in a script element: nothing in it ends the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def sections(inputs: Inputs) -> list[Section]:
    """Return the sections with figures, in the order of the page."""
    curves = training_curves.figures(inputs)
    learned = [*neighbours.figures(inputs)], [*word_map.figures(inputs)]
    found = [
        Section(
            "training",
            "Training",
            _filled(curves[:1], curves[1:]),
            "" if curves else "There is no history of this training: models/history.csv has no rows.",
        ),
        Section("held-out", "Result", _filled(held_out.figures(inputs))),
        Section(
            "where",
            "Breakdown",
            _filled([*frequency_bands.figures(inputs), *positions.figures(inputs)], documents.figures(inputs)),
        ),
        Section("probabilities", "Probabilities", _filled(calibration.figures(inputs))),
        Section("vocabulary", "Vocabulary", _filled(rank_frequency.figures(inputs))),
        Section("passage-section", "Passage", _filled(passage.figures(inputs))),
        Section("progress", "Progress", _filled(training_samples.figures(inputs))),
        Section("embeddings", "Embeddings", _filled(*learned)),
        Section("generated", "Samples", _filled(*([figure] for figure in samples.figures(inputs)))),
        Section("model", "Model", _filled(graphs.figures(inputs))),
    ]
    return [section for section in found if section.rows or section.missing]


def _filled(*rows: Sequence[Figure]) -> list[Sequence[Figure]]:
    return [row for row in rows if row]
