"""How messages put things into words."""


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with what it counts: `1 word`, `2,000 words`.

    Args:
        number: how many there are.
        singular: what there is one of. It may go on, up to a verb: `file is`.
        plural: what there are several of; None: `singular` with an s.
    """
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"
