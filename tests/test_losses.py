import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.losses import chunked_softmax_cross_entropy, softmax_cross_entropy


def problem(words=37, width=6, vocabulary=50, scale=1.0, seed=0):
    draw = np.random.default_rng(seed)
    hidden = tf.constant(draw.normal(0, scale, [words, width]), tf.float32)
    weights = tf.Variable(draw.normal(0, 1, [vocabulary, width]).astype(np.float32))
    bias = tf.Variable(draw.normal(0, 1, [vocabulary]).astype(np.float32))
    return hidden, weights, bias, tf.constant(draw.integers(0, vocabulary, [words]), tf.int32)


def value_and_gradients(loss, hidden, weights, bias, targets, **more):
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        value = tf.reduce_mean(loss(hidden, weights, bias, targets, **more))
    return [value, *tape.gradient(value, [hidden, weights, bias])]


@pytest.mark.parametrize("chunk", [1, 10, 37, 100])
def test_the_chunked_loss_is_the_plain_one_in_value_and_gradient(chunk):
    plain = value_and_gradients(softmax_cross_entropy, *problem())
    fast = value_and_gradients(chunked_softmax_cross_entropy, *problem(), chunk=chunk)
    for ours, theirs in zip(fast, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_target_whose_probability_underflows_has_its_exact_loss():
    plain = value_and_gradients(softmax_cross_entropy, *problem(scale=100.0))
    fast = value_and_gradients(chunked_softmax_cross_entropy, *problem(scale=100.0))
    assert float(plain[0]) > 150  # far below the least float32
    np.testing.assert_allclose(fast[0], plain[0], rtol=1e-5)
    np.testing.assert_allclose(fast[1], plain[1], rtol=1e-4, atol=1e-6)


def test_the_gradient_follows_what_is_made_of_the_loss():
    hidden, weights, bias, targets = problem()
    with tf.GradientTape() as tape:
        value = 3 * chunked_softmax_cross_entropy(hidden, weights, bias, targets)
    with tf.GradientTape() as plain_tape:
        plain = tf.reduce_mean(softmax_cross_entropy(hidden, weights, bias, targets))
    np.testing.assert_allclose(tape.gradient(value, weights), 3 * plain_tape.gradient(plain, weights), rtol=1e-5, atol=1e-6)


def test_bfloat16_is_close_and_float32_outside_the_products():
    plain = value_and_gradients(softmax_cross_entropy, *problem())
    fast = value_and_gradients(chunked_softmax_cross_entropy, *problem(), dtype=tf.bfloat16)
    for ours, theirs in zip(fast, plain, strict=True):
        assert ours.dtype == tf.float32
        np.testing.assert_allclose(ours, theirs, rtol=0.05, atol=0.02 * float(tf.reduce_max(abs(theirs))))


def test_a_certain_and_an_even_guess_cost_what_they_should():
    weights, bias = tf.zeros([4, 2]), tf.constant([0.0, 0.0, 0.0, 200.0])
    assert float(chunked_softmax_cross_entropy(tf.zeros([1, 2]), weights, bias, tf.constant([3]))) == 0.0
    assert float(chunked_softmax_cross_entropy(tf.zeros([1, 2]), weights, bias * 0, tf.constant([3]))) == pytest.approx(np.log(4))
