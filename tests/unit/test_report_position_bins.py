"""Bins of positions: names, and whether context helps the model more than Kneser-Ney."""

import pytest

from lstm_lm.ui.report import position_bins


def of(start: int, end: int | None, words: int, gain: float | None) -> dict[str, float | None]:
    return {"start": start, "end": end, "words": words, "loss": 5.0, "kneser_ney_loss": None if gain is None else 5.0 + gain}


def test_positions_are_counted_from_one() -> None:
    assert position_bins.label({"start": 0, "end": 100}) == "1 to 100"
    assert position_bins.label({"start": 1000, "end": None}) == "from 1,001"


def test_bins_are_joined_until_they_hold_enough_words() -> None:
    bins = [of(0, 10, 500, 0.1), of(10, 50, 1500, 0.3), of(50, 100, 1000, 0.5), of(100, 900, 3000, 0.7)]
    found = position_bins.gains(bins)
    assert found is not None
    assert (found.early_label, found.late_label) == ("1 to 50", "51 to 900")
    assert (found.early, found.late) == pytest.approx((0.25, 0.65))


@pytest.mark.parametrize(
    "bins",
    [
        [],
        [of(0, 100, 198, 0.4), of(100, 900, 40_000, 0.5)],
        [of(0, 100, 2000, 0.4), of(100, 900, 1999, 0.5)],
        [of(0, 100, 2000, 0.4), of(100, 900, 2000, None)],
    ],
)
def test_too_few_words_and_a_missing_baseline_say_nothing(bins: list[dict[str, float | None]]) -> None:
    assert position_bins.gains(bins) is None
