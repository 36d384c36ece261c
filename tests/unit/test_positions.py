import numpy as np
import pytest

from lstm_lm.evaluation.details.positions import by_position
from lstm_lm.evaluation.details.scored_split import ScoredSplit


def split_of(*lengths):
    rng = np.random.default_rng(0)
    ids = [np.zeros(length, int) for length in lengths]
    return ScoredSplit([str(i) for i in range(len(ids))], ids, {"loss": [rng.exponential(2, max(length - 1, 0)) for length in lengths]})


@pytest.mark.parametrize("lengths", [(2,), (12,), (1000, 37, 1), (5001, 4999), (30,) * 40, (10,), (11,)])
@pytest.mark.parametrize("min_words", [1, 20, 100])
def test_stretches_cover_all_words_once_and_match_a_plain_loop(lengths, min_words):
    split = split_of(*lengths)
    rows = by_position(split, min_words)
    assert rows[0]["start"] == 0
    assert [row["start"] for row in rows[1:]] == [row["end"] for row in rows[:-1]]
    assert rows[-1]["end"] == max(lengths)
    for row in rows:
        values = [
            cost
            for of_document in split.costs["loss"]
            for position, cost in enumerate(of_document, start=1)
            if row["start"] <= position < row["end"]
        ]
        assert row["words"] == len(values) >= min(min_words, sum(split.lengths))
        assert row["loss"] == pytest.approx(np.mean(values))


def test_stretches_grow_geometrically():
    assert [row["start"] for row in by_position(split_of(6000), min_words=1)] == [0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]


def test_stretches_of_few_words_are_joined_with_the_next_one():
    # 2 documents: positions 1 to 9 have 18 words, those up to 19 have 38, those up to 49 have 98.
    assert [row["start"] for row in by_position(split_of(600, 600), min_words=100)] == [0, 100, 200, 500]
    assert [(row["start"], row["end"], row["words"]) for row in by_position(split_of(210), min_words=100)] == [(0, 210, 209)]


def test_without_scored_words_there_are_none():
    assert by_position(split_of(1, 1)) == by_position(split_of()) == []
