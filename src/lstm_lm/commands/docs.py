"""Command `docs`: write the pages that follow from the code, or check that they are up to date."""

from pathlib import Path
from typing import Annotated

import typer

FOLDER = Path("docs")


def docs(
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit with 1 if a page is out of date")] = False,
) -> None:
    """Write the pages that are generated from the code: docs/reference, and docs/how-to/when-things-go-wrong.md."""
    from lstm_lm.commands import reference
    from lstm_lm.errors import UserError
    from lstm_lm.io import atomic
    from lstm_lm.ui import terminal

    pages = reference.pages()
    stale = [name for name, text in pages.items() if not _is_up_to_date(FOLDER / name, text)]
    if check:
        if stale:
            raise UserError(f"{FOLDER}: out of date: {', '.join(stale)}: run make docs")
        return
    for name in stale:
        atomic.write_text(FOLDER / name, pages[name])
    terminal.print(f"{FOLDER}: {len(stale)} of {len(pages)} generated pages changed")


def _is_up_to_date(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text
