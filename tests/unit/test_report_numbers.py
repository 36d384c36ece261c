"""Numbers as the report shows them."""

import math

import pytest

from lstm_lm.ui.report import numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (3.14159, "3.142"), (31.4159, "31.42"), (314.159, "314.2"), (3141.59, "3,142"), (12345678.9, "12,345,679")],
)
def test_a_perplexity_has_four_digits(value: float | None, shown: str) -> None:
    assert numbers.perplexity(value) == shown


def test_other_numbers() -> None:
    assert numbers.percent(0.1234) == "12.3%"
    assert numbers.count(12345) == "12,345"
    assert numbers.decimals(1.23456, 2) == "1.23"
    assert numbers.interval(99.95, 101.25) == "99.95 to 101.2"
    assert numbers.interval(None, 3) == ""
    assert numbers.exp(2.0) == math.exp(2)
    assert numbers.exp(1e6) is None
    assert (numbers.units("char"), numbers.units("char", 1), numbers.units("byte")) == ("characters", "character", "tokens")
