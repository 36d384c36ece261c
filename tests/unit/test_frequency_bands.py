import numpy as np
import pytest

from lstm_lm.evaluation.details.frequency_bands import by_frequency
from lstm_lm.evaluation.details.scored_split import ScoredSplit

COUNTS = np.array([0, 25_000, 10_000, 9_999, 1_000, 100, 99, 10, 9, 1, 0])


def band(word):
    """Return the label of an id's band, from the table in the documentation."""
    if word == 0:
        return "unknown"
    for least, label in ((10_000, "10,000 and more"), (1_000, "1,000 to 9,999"), (100, "100 to 999"), (10, "10 to 99")):
        if COUNTS[word] >= least:
            return label
    return "below 10"


def test_bands_match_a_plain_loop_and_come_in_order():
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, len(COUNTS), size) for size in (300, 1, 50)]
    costs = [rng.exponential(3, len(document) - 1) for document in ids]
    by_label = {}
    for document, of_document in zip(ids, costs, strict=True):
        for word, cost in zip(document[1:], of_document, strict=True):
            by_label.setdefault(band(word), []).append(cost)
    rows = by_frequency(ScoredSplit(["a", "b", "c"], ids, {"loss": costs, "kneser_ney_loss": None}), COUNTS)
    assert [row["label"] for row in rows] == ["10,000 and more", "1,000 to 9,999", "100 to 999", "10 to 99", "below 10", "unknown"]
    assert [(row["low"], row["high"]) for row in rows] == [(10_000, None), (1_000, 9_999), (100, 999), (10, 99), (0, 9), (None, None)]
    for row in rows:
        assert row["words"] == len(by_label[row["label"]])
        assert row["loss"] == pytest.approx(np.mean(by_label[row["label"]]))
        assert row["kneser_ney_loss"] is None


def test_bands_without_words_are_left_out():
    split = ScoredSplit(["a"], [np.array([1, 7, 0])], {"loss": [np.array([2.0, 3.0])]})
    assert by_frequency(split, COUNTS) == [
        {"label": "10 to 99", "low": 10, "high": 99, "words": 1, "loss": 2.0},
        {"label": "unknown", "low": None, "high": None, "words": 1, "loss": 3.0},
    ]
