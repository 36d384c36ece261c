"""Generated sections of Markdown pages. Each stands between two comments; the text around them stays as it is."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def write(page: str | Path, section: str, text: str, kind: str = "table") -> None:
    """Put a text between the markers `<!-- KIND:SECTION -->` and `<!-- /KIND:SECTION -->`.

    Args:
        page: a Markdown file.
        section: name in the markers.
        text: the new content of the section.
        kind: of the content, in the markers.

    Raises:
        ValueError: the page has no such markers.
    """
    path = Path(page)
    begin, end = f"<!-- {kind}:{section} -->", f"<!-- /{kind}:{section} -->"
    before, has_begin, rest = path.read_text(encoding="utf-8").partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"{path.name} has no markers {begin} and {end}")
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table. All columns but the first are aligned right, and None becomes an empty cell."""
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "\n".join("| " + " | ".join("" if cell is None else str(cell).replace("|", "/") for cell in line) + " |" for line in lines)
