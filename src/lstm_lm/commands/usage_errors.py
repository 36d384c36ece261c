"""What is wrong with a command line, in one line."""

from typing import Any

import typer
from pydantic import ValidationError

from lstm_lm.generation import options

KINDS: dict[type, str] = {int: "a whole number", float: "a number"}

EXTRA = "Got unexpected extra argument(s)"


def explain(error: typer.TyperException) -> str:
    """Return the message for an error of typer."""
    parameter: Any = getattr(error, "param", None)
    cause = error.__cause__
    if isinstance(cause, ValidationError) and (kind := KINDS.get(number_type(parameter))):
        value = str(cause.errors(include_url=False)[0]["input"])
        shown = value if _is_number(value) else repr(value)
        return f"{parameter.opts[0]} = {shown}: must be {kind} {bounds(parameter)}".rstrip()
    message = error.format_message().rstrip(".")
    if message.startswith(EXTRA):
        several = " " in message.removeprefix(EXTRA).strip()
        message = message.replace("argument(s)", "arguments" if several else "argument")
        return f"{message}: put a prompt of several words in quotes" if _takes_prompt(error) else message
    return message


def bounds(parameter: Any) -> str:
    """Return the bounds of a number, as the end of a sentence with "must be"; "" for other parameters and without bounds."""
    if parameter.name in (rows := options.by_name()):
        return "" if rows[parameter.name].type is bool else rows[parameter.name].allowed
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is None:
        return ""
    return f"of at least {low}" if high is None else f"from {low} to {high}"


def number_type(parameter: Any) -> type:
    """Return int or float for a parameter that is a number, else `object`."""
    annotation = parameter.type_descriptor.annotation if parameter is not None else None
    return annotation if annotation in KINDS else object


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _takes_prompt(error: typer.TyperException) -> bool:
    context = getattr(error, "ctx", None)
    return context is not None and any(parameter.name == "prompt" for parameter in context.command.params)
