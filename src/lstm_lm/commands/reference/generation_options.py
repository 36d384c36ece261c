"""The reference page of the generation options."""

from lstm_lm.commands.reference.tables import table
from lstm_lm.commands.sample import flag_name
from lstm_lm.generation.options import Option, options

INTRODUCTION = """\
# Generation options

Set these options in the section `evaluate_sample` of `params.yaml`, as flags of `python src/cli.py sample`, in the `params` of a
request to the served model, or as inputs of the SavedModel's signatures. The defaults apply to the flags and to requests.
[How the next word is chosen](../how-to/serve.md#how-the-next-word-is-chosen) explains in which order the options apply.
"""
NOTES = """\
In `params.yaml`, a list `temperatures` replaces `temperature`. *Served* is the limit in a request to the served model, if it is lower.

`stop` is no row of the table, because it is text: a list of strings before the first of which a text ends (`--stop`, given several
times; `stop` in `params` and in `/v1/completions`). The SavedModel's signatures do not have it."""


def page() -> str:
    """Return the page."""
    rows = [
        [f"`{row.name}`", f"`{flag_name(row.name)}`", _value(row.default), _allowed(row), _served(row), _meaning(row)] for row in options()
    ]
    return f"{INTRODUCTION}\n{table(['option', 'flag', 'default', 'allowed', 'served', 'meaning'], rows)}\n\n{NOTES}"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _allowed(row: Option) -> str:
    return row.allowed


def _served(row: Option) -> str:
    return "" if row.served_maximum is None else f"at most {row.served_maximum:,}"


def _meaning(row: Option) -> str:
    return f"{row.help} ({row.source})" if row.source else row.help
