"""How messages put things into words."""

# What people call one token of a text, by `vocab.unit`.
UNITS = {"word": "word", "char": "character", "subword": "subword"}


def unit_name(unit: str, number: int = 2) -> str:
    """Return what tokens are called: `unit_name("char")` is `characters`, `unit_name("char", 1)` is `character`.

    Args:
        unit: a value of `vocab.unit`.
        number: how many of them are meant.
    """
    return UNITS[unit] if number == 1 else f"{UNITS[unit]}s"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with what it counts: `1 word`, `2,000 words`.

    Args:
        number: how many there are.
        singular: what there is one of. It may go on, up to a verb: `file is`.
        plural: what there are several of; None: `singular` with an s.
    """
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"
