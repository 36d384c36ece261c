"""An extension of griffe, which reads the docstrings for the API reference: one line may describe several parameters or attributes."""

import re
from typing import Any

import griffe

SECTIONS = ("Args:", "Attributes:")
SEVERAL = re.compile(r"^    (\w+(?:, \w+)+): ")


def split_lists(docstring: str) -> str:
    """Give each name of a line such as `h, c: float32 [batch, hidden].` a line of its own.

    The first one keeps the description of all, after their names; the others refer to it.
    """
    section, others, lines = "", [], []
    for line in [*docstring.splitlines(), ""]:
        if not line.startswith(" " * 8):  # a description ends before the next name, section or paragraph
            lines += others
            others = []
        if line and not line.startswith(" "):
            section = line
        found = SEVERAL.match(line) if section in SECTIONS else None
        if found:
            first, *rest = found[1].split(", ")
            named = ", ".join(f"`{name}`" for name in (first, *rest))
            lines.append(f"    {first}: {named}: {line[found.end() :]}")
            others = [f"    {name}: see `{first}`." for name in rest]
        else:
            lines.append(line)
    return "\n".join(lines[:-1])


class SeveralNames(griffe.Extension):
    """Split such lines in every docstring, before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = split_lists(obj.docstring.value)
