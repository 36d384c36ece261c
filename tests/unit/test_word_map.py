import numpy as np
import pytest

from lstm_lm.evaluation.details.word_map import place, principal_components, word_map


def two_groups(size, width=16):
    """Return vectors of two groups that have nothing in common: float64 [2 size, width]."""
    rng = np.random.default_rng(0)
    centers = np.eye(width)[:2] * 10
    return np.concatenate([center + rng.normal(0, 0.5, [size, width]) for center in centers])


def test_words_of_a_group_are_next_to_each_other_on_the_map():
    from sklearn.manifold import trustworthiness

    vectors = two_groups(30)
    places = place(vectors)
    distances = np.linalg.norm(places[:, np.newaxis] - places, axis=2) + np.diag(np.full(60, np.inf))
    assert all((nearest < 30) == (i < 30) for i, nearest in enumerate(distances.argmin(axis=1)))
    assert trustworthiness(vectors, places, n_neighbors=5) > 0.8  # how many of the map's neighbors are neighbors


def test_the_map_is_the_same_again_and_lists_the_most_frequent_words_but_unknown():
    embedding = np.concatenate([np.full([1, 16], 99), two_groups(8)]).astype(np.float32)
    words, counts = [f"w{i}" for i in range(17)], np.arange(100, 83, -1)
    first = word_map(embedding, words, counts, 12)
    assert first == word_map(embedding, words, counts, 12)
    assert [(row["word"], row["count"]) for row in first] == [(f"w{i}", 100 - i) for i in range(1, 13)]
    assert np.isfinite([[row["x"], row["y"]] for row in first]).all()


@pytest.mark.parametrize("words", [0, 1, 2, 3, 9, 10, 11])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_any_number_of_words_of_any_width_has_a_map(words, width):
    embedding = np.random.default_rng(0).normal(size=[words + 1, width]).astype(np.float32)
    rows = word_map(embedding, [str(i) for i in range(words + 1)], np.ones(words + 1, int))
    assert len(rows) == words
    assert all(np.isfinite([row["x"], row["y"]]).all() for row in rows)


def test_the_map_of_a_few_words_keeps_the_distances_in_a_plane():
    plane = np.random.default_rng(1).normal(size=[6, 2])
    rotated = plane @ np.linalg.qr(np.random.default_rng(2).normal(size=[5, 5]))[0][:2]
    places = principal_components(rotated)
    expected, actual = (np.linalg.norm(points[:, np.newaxis] - points, axis=2) for points in (plane, places))
    np.testing.assert_allclose(actual, expected, atol=1e-9)
