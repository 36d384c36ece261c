import functools

import numpy as np
import pytest
import tensorflow as tf

import plain
from lstm_lm.model import lstm

GRAPH = functools.partial(tf.function, autograph=False)  # as the trainer builds its graphs
BATCH, TIME, INPUTS, HIDDEN = 3, 6, 4, 5


def problem(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [[BATCH, TIME, INPUTS], [INPUTS, 4 * HIDDEN], [HIDDEN, 4 * HIDDEN], [4 * HIDDEN], [BATCH, HIDDEN], [BATCH, HIDDEN]]
    return [tf.constant(rng.normal(0, 0.7, shape), tf.float32) for shape in shapes]


def gradients(function, tensors):
    """Return the gradients of a sum that weights every output differently."""
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = sum(tf.reduce_sum(out * tf.reshape(tf.range(tf.size(out), dtype=tf.float32), out.shape)) for out in function(*tensors))
    return tape.gradient(total, tensors)


@pytest.mark.parametrize("run", [lstm.scan, lstm.unrolled, GRAPH(lstm.scan), GRAPH(lstm.unrolled)])
def test_outputs_and_state_match_the_plain_numpy_lstm(run):
    x, kernel, recurrent, bias, h, c = problem()
    outputs, last_h, last_c = run(x, kernel, recurrent, bias, h, c)
    h, c = h.numpy(), c.numpy()
    for t in range(TIME):
        h, c = plain.lstm_step(x.numpy()[:, t], h, c, kernel.numpy(), recurrent.numpy(), bias.numpy())
        np.testing.assert_allclose(outputs[:, t], h, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(last_h, h, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(last_c, c, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("wrap", [lambda f: f, GRAPH])
def test_the_unrolled_gradient_matches_automatic_differentiation(wrap):
    for ours, theirs in zip(gradients(wrap(lstm.unrolled), problem()), gradients(wrap(lstm.scan), problem()), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(tf.reduce_max(abs(theirs))))


@pytest.mark.slow
def test_outputs_match_the_keras_lstm_with_the_same_weights():
    import keras

    x, kernel, recurrent, bias, h, c = problem()
    layer = keras.layers.LSTM(HIDDEN, return_sequences=True, return_state=True)
    layer.build(x.shape)
    layer.set_weights([kernel, recurrent, bias])
    for ours, theirs in zip(lstm.unrolled(x, kernel, recurrent, bias, h, c), layer(x, initial_state=[h, c]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_bfloat16_products_are_close_in_value_and_gradient():
    exact, rounded = problem(), problem()
    for ours, theirs in zip(lstm.unrolled(*rounded, dtype=tf.bfloat16), lstm.unrolled(*exact), strict=True):
        assert ours.dtype == tf.float32
        np.testing.assert_allclose(ours, theirs, atol=0.05)
    for ours, theirs in zip(
        gradients(lambda *t: lstm.unrolled(*t, dtype=tf.bfloat16), rounded), gradients(lstm.unrolled, exact), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=0.05 * float(tf.reduce_max(abs(theirs))))


def test_two_parts_with_carried_state_equal_one_long_sequence():
    x, kernel, recurrent, bias, h, c = problem()
    whole, whole_h, whole_c = lstm.unrolled(x, kernel, recurrent, bias, h, c)
    first, h, c = lstm.unrolled(x[:, :2], kernel, recurrent, bias, h, c)
    second, h, c = lstm.unrolled(x[:, 2:], kernel, recurrent, bias, h, c)
    np.testing.assert_allclose(tf.concat([first, second], axis=1), whole, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(h, whole_h, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(c, whole_c, rtol=1e-5, atol=1e-7)
