"""Numbers as the report shows them."""

import math

from lstm_lm.wording import unit_name


def perplexity(value: float | None) -> str:
    """Four significant digits, and no decimals from 1,000 on: `3.142`, `166.4`, `1,234`."""
    if value is None:
        return "-"
    decimals = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3
    return f"{value:,.{decimals}f}"


def decimals(value: float | None, places: int = 3) -> str:
    """A number with some decimals, or a dash for None."""
    return "-" if value is None else f"{value:,.{places}f}"


def percent(value: float | None, places: int = 1) -> str:
    """A fraction in percent, or a dash for None."""
    return "-" if value is None else f"{value:.{places}%}"


def count(value: float | None) -> str:
    """A whole number with commas, or a dash for None."""
    return "-" if value is None else f"{value:,.0f}"


def interval(low: float | None, high: float | None) -> str:
    """The two ends of an interval of perplexities, or "" if there is none."""
    return "" if low is None or high is None else f"{perplexity(low)} to {perplexity(high)}"


def exp(loss: float | None) -> float | None:
    """The perplexity of a loss in nats; None stays None, and so does what is too large for a float."""
    if loss is None:
        return None
    try:
        return math.exp(loss)
    except OverflowError:
        return None


def units(unit: str, number: int = 2) -> str:
    """What tokens are called, by `vocab.unit`; an unknown unit is called tokens."""
    try:
        return unit_name(unit, number)
    except KeyError:
        return "token" if number == 1 else "tokens"
