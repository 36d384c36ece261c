"""Markdown tables of text, which is aligned left."""

import re
from collections.abc import Iterable, Sequence

CODE = re.compile(r"(`[^`]*`)")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of text."""
    lines = [headings, ["---"] * len(headings), *([_escaped(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escaped(cell: str) -> str:
    """Keep a cell in its column, and tokens such as <unk> outside code from being read as HTML."""
    parts = CODE.split(cell.replace("|", "\\|"))
    return "".join(part if CODE.fullmatch(part) else part.replace("<", "&lt;").replace("*", "\\*") for part in parts)
