from collections import Counter

import numpy as np

from lstm_lm.evaluation.details.rank_frequency import rank_frequency


def test_the_curve_matches_counted_words():
    text = "b a b c b a d <unk> e".split()
    words = ["<unk>", "b", "a", "c", "d", "e", "only in the test text"]
    counts = np.array([Counter(text)[word] for word in words])
    assert rank_frequency(counts, 3) == {
        "points": [
            {"rank": 1, "count": 3},
            {"rank": 2, "count": 2},
            {"rank": 3, "count": 1},
            {"rank": 4, "count": 1},
            {"rank": 5, "count": 1},
        ],
        "cut": {"rank": 2, "count": 2},
        "types": 5,
        "tokens": 9,
    }


def test_a_long_curve_is_thinned_and_keeps_both_ends():
    counts = np.concatenate([[5], np.random.default_rng(0).zipf(1.5, 10_000)])
    curve = rank_frequency(counts, 2000, points=50)
    falling = sorted(counts[1:], reverse=True)
    assert 30 < len(curve["points"]) <= 50
    assert all(point["count"] == falling[point["rank"] - 1] for point in curve["points"])
    assert (curve["points"][0]["rank"], curve["points"][-1]["rank"]) == (1, 10_000)
    ratios = np.diff(np.log([point["rank"] for point in curve["points"][-20:]]))
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=0.01)


def test_nothing_but_unknown_words_has_no_curve():
    assert rank_frequency(np.array([4, 0]), 2) == {"points": [], "cut": None, "types": 0, "tokens": 4}
