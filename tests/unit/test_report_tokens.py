"""Tokens as the report shows them."""

import pytest

from lstm_lm.ui.report.tokens import visible


@pytest.mark.parametrize(
    ("token", "shown"), [("king", "king"), (" ", "\u2423"), ("\n", "\u23ce"), (" the", "\u2423the"), ("a b", "a b"), ("", "")]
)
def test_white_space_is_visible(token: str, shown: str) -> None:
    assert visible(token) == shown
