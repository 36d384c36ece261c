"""How messages put things into words."""

import shlex
from collections.abc import Sequence

# What people call one token of a text, by `vocab.unit`.
UNITS = {"word": "word", "char": "character", "subword": "subword"}


def unit_name(unit: str | None, number: int = 2) -> str:
    """Return what tokens are called: `unit_name("char")` is `characters`, `unit_name("char", 1)` is `character`.

    Args:
        unit: a value of `vocab.unit`, or None if it is unknown.
        number: how many of them are meant.
    """
    name = "token" if unit is None else UNITS[unit]
    return name if number == 1 else f"{name}s"


def counted_tokens(number: int, unit: str | None) -> str:
    """Return a number of tokens with what they are called: `2,000 characters`. The unit is that of `unit_name`."""
    return f"{number:,} {unit_name(unit, number)}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with what it counts: `1 word`, `2,000 words`.

    Args:
        number: how many there are.
        singular: what there is one of. It may go on, up to a verb: `file is`.
        plural: what there are several of; None: `singular` with an s.
    """
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def listed(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return names in a row, `a, b and 3 more` if there are too many.

    Args:
        names: any number.
        most: shown.
        separator: between two of them.
    """
    return separator.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def joined(names: Sequence[str]) -> str:
    """Return all names in a row: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def duration(seconds: float | None) -> str:
    """Return a time in words: `42 s`, `1 min 23 s`, `2 h 5 min`, or a dash for None."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def make_command(target: str, **options: str) -> str:
    """Return a command that calls make, to be copied into a shell: `make promote RUN=slower`.

    Args:
        target: of the Makefile.
        options: their values may have letters that mean something to a shell or to make.
    """
    return " ".join(["make", target, *(f"{name}={shlex.quote(value).replace('$', '$$')}" for name, value in options.items())])
