"""Command `drift`: how the prompts that a server has logged differ from the validation text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lstm_lm.serving.prompts.export import Exported
    from lstm_lm.serving.prompts.report import DriftReport

SHOWN_WORDS = 8


def drift(
    folder: Annotated[Path, typer.Argument(help="folder that the server logs its prompts to (serve --log-prompts)")],
    days: Annotated[int | None, typer.Option(help="only prompts of the last days (default: all)", min=1, show_default=False)] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="also write the prompts to this file in data/own, with a preset that trains on them", show_default=False),
    ] = None,
) -> None:
    """Compare logged prompts with the validation text: unknown words, surprisal, length. Writes reports/drift.html.

    The model in models/saved_model scores both. Prompts are compared with pieces of the validation text that are as long.
    """
    from datetime import UTC, datetime, timedelta

    from lstm_lm.config import loading
    from lstm_lm.serving.prompts import export as exporting
    from lstm_lm.serving.prompts import report as reporting

    settings = loading.load().model_dump() if export is not None else {}
    if export is not None:
        exporting.check(export, settings)
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat() if days else ""
    log = reporting.read(folder, since)
    made = reporting.make(log)
    _show(made)
    if export is not None:
        exported = exporting.write(export, sorted(log.prompts, key=lambda prompt: prompt.time), settings)
        _show_exported(export, exported, exporting.notes(export, settings))


def _show(made: "DriftReport") -> None:
    from lstm_lm.serving.prompts import page, verdict
    from lstm_lm.ui import terminal
    from lstm_lm.ui.terminal import Column
    from lstm_lm.wording import unit_name

    page.write(made)
    terminal.print()
    columns = [Column(verdict.COLUMNS[0], align="left"), *map(Column, verdict.COLUMNS[1:])]
    terminal.table(columns, verdict.rows(made.measures, made.unit), where=page.FILE)
    lengths = made.lengths
    unit = unit_name(made.unit)
    terminal.print(f"{unit} per prompt: median {lengths[0.5]:,}, nine of ten at most {lengths[0.9]:,}, longest {lengths[1.0]:,}")
    if made.words:
        listed = ", ".join(f"{word.word} ({word.requests:,})" for word in made.words[:SHOWN_WORDS])
        terminal.paragraph(f"unknown {unit} in most prompts: {listed}")
    terminal.print()
    for fact in page.facts(made):
        terminal.paragraph(fact)
    terminal.paragraph(verdict.verdict(made.measures, len(made.distinct.prompts), made.unit).sentence)
    terminal.print(f"report: {page.FILE} (it holds prompts: Git ignores it)")


def _show_exported(file: Path, exported: "Exported", notes: list[str]) -> None:
    from lstm_lm.paths import RAW
    from lstm_lm.serving.prompts import export as exporting
    from lstm_lm.ui import terminal
    from lstm_lm.wording import counted

    terminal.print()
    terminal.print(f"{file}: {counted(exported.prompts, 'different prompt')}. Read them before you train on them.")
    for note in notes:
        terminal.paragraph(note)
    if exported.documents:
        terminal.print(f"{exporting.WITH_PROMPTS}: {counted(exported.documents, 'document')} copied from {RAW}")
    terminal.print(f"{exporting.PRESET}: the changes to params.yaml")
    terminal.heading("next steps")
    terminal.commands(
        [
            (f"make experiment PRESET={exporting.NAME}", "trains the champion further on all that, in an isolated copy"),
            ("make compare", "compares it with this checkout: on the same test text, if whole documents are held out"),
            ("make promote RUN=<its name>", "makes it the champion, which servers take at their next reload"),
        ]
    )
