"""The reference page of the command line."""

from typing import Any

import typer
from typer.core import TyperGroup

from lstm_lm.commands import usage_errors
from lstm_lm.commands.reference.tables import table

INTRODUCTION = """\
# Commands

Run `python src/cli.py COMMAND` in the activated environment (`source .venv/bin/activate`). The Makefile's targets call these
commands; `make help` lists the targets.
"""


def page() -> str:
    """Return the page."""
    from lstm_lm.commands.app import app

    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    parts = []
    for name, command in group.commands.items():
        parts.append(f"## {name}\n\n{(command.help or '').strip()}")
        if rows := [_row(parameter) for parameter in command.params]:
            parts.append(table(["argument", "default", "meaning"], rows))
    return INTRODUCTION + "\n" + "\n\n".join(parts)


def _row(parameter: Any) -> list[str]:
    is_flag = parameter.opts[0].startswith("-")
    shown = ", ".join(f"`{name}`" for name in parameter.opts) if is_flag else f"`{parameter.name.upper()}`"
    default = str(parameter.default) if is_flag and parameter.default is not None else ""
    text = getattr(parameter, "help", None) or ""
    if (bounds := usage_errors.bounds(parameter)) and bounds not in text:
        text += f" ({bounds.removeprefix('of ')})"
    return [shown, default.lower() if default in ("True", "False") else default, text]
