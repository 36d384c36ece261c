import numpy as np
import pytest
import tensorflow as tf

from decoding_models import logits_of_many_words
from lstm_lm.generation.draw import draw, most_probable


@pytest.mark.parametrize("words", [5, 16, 97, 3000, 3001])
def test_drawing_in_blocks_matches_one_cumulative_sum(words):
    weights = np.exp(logits_of_many_words(words).astype(np.float64))
    weights[:: 3 if words > 5 else 6] = 0
    uniform = np.concatenate([[0.0, 0.99999994], np.random.default_rng(1).uniform(size=500)]).astype(np.float32)
    rows = tf.constant(np.broadcast_to(weights, [len(uniform), words]), tf.float32)
    drawn = draw(rows, tf.constant(uniform)).numpy()
    cumulative = np.cumsum(weights) / weights.sum()
    assert (weights[drawn] > 0).all()
    # The uniform number lies in the interval of the drawn word, within float32 rounding.
    assert (uniform <= cumulative[drawn] + 1e-5).all()
    assert (uniform >= cumulative[drawn] - weights[drawn] / weights.sum() - 1e-5).all()


@pytest.mark.parametrize("k", [1, 2, 40, 93, 94, 1499, 3000])
def test_the_most_probable_words_match_a_full_sort(k):
    logits = np.stack([logits_of_many_words(seed=seed) for seed in range(4)])
    values, words = most_probable(tf.constant(logits), tf.constant(k))
    np.testing.assert_array_equal(values, -np.sort(-logits, axis=1)[:, :k])
    np.testing.assert_array_equal(np.take_along_axis(logits, words.numpy(), axis=1), values)
    assert all(len(set(row)) == k for row in words.numpy())
