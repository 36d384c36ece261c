"""Tables in Markdown pages, between two comments; the text around them stays."""

from pathlib import Path


def write(page, section, text, kind="table"):
    """Put a text between the markers `<!-- KIND:SECTION -->` and `<!-- /KIND:SECTION -->`; all else stays as it is.

    Raises:
        ValueError: the page has no such markers.
    """
    begin, end = f"<!-- {kind}:{section} -->", f"<!-- /{kind}:{section} -->"
    old = Path(page).read_text(encoding="utf-8")
    before, found, rest = old.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{Path(page).name} has no markers {begin} and {end}")
    Path(page).write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")


def table(heads, rows):
    """All columns but the first are set to the right. None becomes an empty cell."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join("" if cell is None else str(cell).replace("|", "/") for cell in line) + " |" for line in lines)
