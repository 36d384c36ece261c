import functools

import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.model.losses import chunked_softmax_cross_entropy, log_uniform_sample, sampled_softmax_cross_entropy, softmax_cross_entropy

GRAPH = functools.partial(tf.function, autograph=False)  # as the trainer builds its graphs


def problem(words=37, width=6, vocabulary=50, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    hidden = tf.constant(rng.normal(0, scale, [words, width]), tf.float32)
    weights = tf.Variable(rng.normal(0, 1, [vocabulary, width]).astype(np.float32))
    bias = tf.Variable(rng.normal(0, 1, [vocabulary]).astype(np.float32))
    return hidden, weights, bias, tf.constant(rng.integers(0, vocabulary, [words]), tf.int32)


def value_and_gradients(loss, hidden, weights, bias, targets, **more):
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        value = tf.reduce_mean(loss(hidden, weights, bias, targets, **more))
    return [value, *tape.gradient(value, [hidden, weights, bias])]


@pytest.mark.parametrize("chunk", [1, 10, 37, 100])
def test_the_chunked_loss_matches_the_plain_loss_in_value_and_gradient(chunk):
    plain = value_and_gradients(softmax_cross_entropy, *problem())
    fast = value_and_gradients(chunked_softmax_cross_entropy, *problem(), chunk=chunk)
    for ours, theirs in zip(fast, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_target_whose_probability_underflows_has_its_exact_loss():
    plain = value_and_gradients(softmax_cross_entropy, *problem(scale=100.0))
    fast = value_and_gradients(chunked_softmax_cross_entropy, *problem(scale=100.0))
    assert float(plain[0]) > 150  # exp(-150) is below the smallest float32
    np.testing.assert_allclose(fast[0], plain[0], rtol=1e-5)
    np.testing.assert_allclose(fast[1], plain[1], rtol=1e-4, atol=1e-6)


def test_the_gradient_scales_with_the_loss():
    hidden, weights, bias, targets = problem()
    with tf.GradientTape() as tape:
        value = 3 * chunked_softmax_cross_entropy(hidden, weights, bias, targets)
    with tf.GradientTape() as plain_tape:
        plain = tf.reduce_mean(softmax_cross_entropy(hidden, weights, bias, targets))
    np.testing.assert_allclose(tape.gradient(value, weights), 3 * plain_tape.gradient(plain, weights), rtol=1e-5, atol=1e-6)


def test_bfloat16_products_are_close_and_results_are_float32():
    plain = value_and_gradients(softmax_cross_entropy, *problem())
    fast = value_and_gradients(chunked_softmax_cross_entropy, *problem(), dtype=tf.bfloat16)
    for ours, theirs in zip(fast, plain, strict=True):
        assert ours.dtype == tf.float32
        np.testing.assert_allclose(ours, theirs, rtol=0.05, atol=0.02 * float(tf.reduce_max(abs(theirs))))


def test_a_certain_prediction_has_loss_0_and_a_uniform_one_ln_v():
    weights, bias = tf.zeros([4, 2]), tf.constant([0.0, 0.0, 0.0, 200.0])
    assert float(chunked_softmax_cross_entropy(tf.zeros([1, 2]), weights, bias, tf.constant([3]))) == 0.0
    assert float(chunked_softmax_cross_entropy(tf.zeros([1, 2]), weights, bias * 0, tf.constant([3]))) == pytest.approx(np.log(4))


@pytest.mark.parametrize(("shift", "scale"), [(200.0, 1.0), (-200.0, 1.0), (0.0, 40.0)])
def test_logits_beyond_the_range_of_exp_are_shifted_by_the_maximum(shift, scale):
    hidden, weights, bias, targets = problem(scale=scale)
    bias.assign_add(tf.fill(bias.shape, shift))
    plain = value_and_gradients(softmax_cross_entropy, hidden, weights, bias, targets)
    for wrap in (lambda f: f, GRAPH):
        fast = value_and_gradients(wrap(chunked_softmax_cross_entropy), hidden, weights, bias, targets, chunk=10)
        for ours, theirs in zip(fast, plain, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5)


def test_a_nan_weight_makes_the_loss_nan():
    hidden, weights, bias, targets = problem()
    bias.assign(tf.tensor_scatter_nd_update(bias, [[3]], [np.nan]))
    assert np.isnan(chunked_softmax_cross_entropy(hidden, weights, bias, targets))


def test_the_summed_loss_is_divided_by_count():
    hidden, weights, bias, targets = problem()
    whole = value_and_gradients(chunked_softmax_cross_entropy, hidden, weights, bias, targets)
    part = value_and_gradients(chunked_softmax_cross_entropy, hidden, weights, bias, targets, count=4 * 37)
    for ours, theirs in zip(part, whole, strict=True):
        np.testing.assert_allclose(4 * ours, theirs, rtol=1e-5, atol=1e-7)


def plain_sampled(hidden, weights, bias, targets, sample):
    """Compute the sampled loss from its definition, with TensorFlow's own gradient."""
    logits = tf.matmul(hidden, weights, transpose_b=True) + bias
    target_logits = tf.gather(logits, targets, batch_dims=1)
    others = tf.gather(logits, sample.ids, axis=1) - sample.log_expected
    others = tf.where(sample.ids == targets[:, tf.newaxis], -np.inf, others)
    return tf.reduce_logsumexp(tf.concat([target_logits[:, tf.newaxis], others], axis=1), axis=1) - target_logits


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_the_sampled_loss_matches_its_definition_in_value_and_gradient(scale):
    arguments = problem(scale=scale)
    sample = log_uniform_sample(30, 50, tf.constant([1, 2]))
    plain = value_and_gradients(plain_sampled, *arguments, sample=sample)
    fast = value_and_gradients(sampled_softmax_cross_entropy, *arguments, sample=sample, chunk=10)
    for ours, theirs in zip(fast, plain, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(ours), tf.convert_to_tensor(theirs), rtol=2e-4, atol=1e-5)
    assert isinstance(fast[2], tf.IndexedSlices)  # the gradient of the weights is sparse


@pytest.mark.slow
def test_a_larger_sample_is_closer_to_the_exact_loss():
    arguments = problem()
    exact = float(chunked_softmax_cross_entropy(*arguments))

    def root_mean_square_error(size):
        estimates = [float(sampled_softmax_cross_entropy(*arguments, log_uniform_sample(size, 50, tf.constant([7, i])))) for i in range(20)]
        return np.sqrt(np.mean((np.array(estimates) - exact) ** 2))

    assert root_mean_square_error(5_000) < 0.05
    assert root_mean_square_error(5_000) < root_mean_square_error(50) / 4


def test_sampled_words_follow_their_expected_counts():
    ids, log_expected = log_uniform_sample(200_000, 40, tf.constant([3, 4]))
    counts = np.bincount(ids, minlength=40)
    expected = np.zeros(40)
    expected[ids] = np.exp(log_expected)
    assert len(counts) == 40
    assert expected.sum() == pytest.approx(200_000, rel=1e-4)
    np.testing.assert_allclose(counts, expected, rtol=0.1)
    assert (ids.numpy() == log_uniform_sample(200_000, 40, tf.constant([3, 4]))[0].numpy()).all()
