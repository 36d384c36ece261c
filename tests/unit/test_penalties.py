import numpy as np
import pytest
import tensorflow as tf

import plain
from decoding_models import align_right, random_draws
from lstm_lm.generation import penalties
from lstm_lm.generation.logits import BLOCKED
from lstm_lm.generation.option_tensors import OptionTensors, tensors
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.generation.sampling import Sampler

TEXTS = [[3, 1, 2, 3, 1], [5], [0, 2, 2, 0], [1, 2, 1, 2, 1, 2, 1], [7, 8, 9, 7, 8, 0, 7, 8]]


@pytest.mark.parametrize("penalty", [1.3, 0.8, 5.0, 1.0])
def test_the_repetition_penalty_matches_the_plain_version(penalty):
    logits = np.random.default_rng(1).normal(0, 3, [len(TEXTS), 10]).astype(np.float32)
    penalized = penalties.apply_repetition_penalty(tf.constant(logits), align_right(TEXTS), tf.fill([len(TEXTS)], penalty)).numpy()
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(penalized[row], plain.apply_repetition_penalty(logits[row], text, penalty), rtol=1e-6)
        assert (penalized[row] != logits[row]).sum() == (len(set(text) - {0}) if penalty != 1 else 0)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 9, 100])
def test_blocked_words_match_the_plain_version(size):
    logits = np.random.default_rng(2).normal(0, 3, [len(TEXTS), 10]).astype(np.float32)
    logits[:, 0] = BLOCKED
    allowed = penalties.block_repeated_ngrams(tf.constant(logits), align_right(TEXTS), tf.fill([len(TEXTS)], size)).numpy()
    for row, text in enumerate(TEXTS):
        expected = plain.block_repeated_ngrams(logits[row], text, size)
        np.testing.assert_array_equal(allowed[row], np.where(np.isinf(expected), BLOCKED, expected).astype(np.float32))


def test_if_every_word_would_repeat_an_ngram_only_the_unknown_word_is_blocked():
    logits = np.array([[BLOCKED, 1, 2, 3], [BLOCKED, 1, 2, 3]], np.float32)
    allowed = penalties.block_repeated_ngrams(tf.constant(logits), tf.constant([[3, 1, 2], [3, 3, 1]]), tf.constant([1, 1])).numpy()
    blocked = np.float32(BLOCKED)
    np.testing.assert_array_equal(allowed, [logits[0], [blocked, blocked, 2, blocked]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampling", "penalty", "size"),
    [({}, 1.4, 0), ({}, 1.0, 2), ({"temperature": 1.5, "top_k": 4, "top_p": 0.9, "min_p": 0.1}, 1.4, 2)],
)
def test_samples_with_penalties_follow_the_distribution_of_the_plain_version(sampling, penalty, size):
    """The test takes the same steps as the decoding loop, in the same order."""
    from scipy import stats

    logits, text = np.array([9, 2.0, 1.2, 0.4, -0.3, -0.8, 0.1], np.float32), [2, 6, 4, 2]
    expected = plain.block_repeated_ngrams(plain.apply_repetition_penalty(logits, text, penalty), text, size)
    expected = plain.distribution(np.where(np.isinf(expected), BLOCKED, expected), **sampling)
    rows = 40_000
    options = GenerationOptions(**{"temperature": 1.0, **sampling}, repetition_penalty=penalty, no_repeat_ngram=size)
    start = np.broadcast_to(logits / options.temperature, [rows, 7]) + np.array([BLOCKED, 0, 0, 0, 0, 0, 0])
    values = OptionTensors(**tensors(options, rows))
    allowed = penalties.apply(tf.constant(start, tf.float32), tf.constant([text] * rows), values)
    samples = Sampler(values, 7)(allowed, random_draws(rows)).numpy()
    counts = np.bincount(samples, minlength=7)
    possible = expected > 0
    assert possible.sum() > 2
    assert counts[~possible].sum() == 0
    assert stats.chisquare(counts[possible], expected[possible] * rows).pvalue > 1e-3


def test_each_row_has_its_own_penalty_and_size():
    logits = np.random.default_rng(3).normal(0, 3, [len(TEXTS), 10]).astype(np.float32)
    logits[:, 0] = BLOCKED
    history, penalty, size = align_right(TEXTS), [1.0, 1.3, 0.8, 1.0, 2.0], [0, 1, 2, 3, 4]
    penalized = penalties.apply_repetition_penalty(tf.constant(logits), history, tf.constant(penalty))
    allowed = penalties.block_repeated_ngrams(tf.constant(logits), history, tf.constant(size))
    for i in range(len(TEXTS)):
        row, text = tf.constant(logits[i : i + 1]), history[i : i + 1]
        np.testing.assert_array_equal(penalized[i], penalties.apply_repetition_penalty(row, text, tf.constant(penalty[i : i + 1]))[0])
        np.testing.assert_array_equal(allowed[i], penalties.block_repeated_ngrams(row, text, tf.constant(size[i : i + 1]))[0])


def test_a_bias_is_added_to_the_words_it_names():
    logits = np.zeros([2, 5], np.float32)
    biased = penalties.add_bias(tf.constant(logits), tf.constant([[3, 0], [1, 3]]), tf.constant([[2.0, 9.0], [-100.0, 1.0]]))
    np.testing.assert_array_equal(biased, [[0, 0, 0, 2, 0], [0, -100, 0, 1, 0]])
