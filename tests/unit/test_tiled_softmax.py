import functools

import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.model import losses, tiled_softmax
from lstm_lm.model.tiled_softmax import tiled_softmax_cross_entropy

GRAPH = functools.partial(tf.function, autograph=False)  # as the trainer builds its graphs
WORDS, WIDTH, VOCABULARY = 37, 6, 50


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    """Three whole tiles and a smaller one."""
    monkeypatch.setattr(tiled_softmax, "TILE", 16)


def problem(scale=1.0, shift=0.0):
    rng = np.random.default_rng(0)
    hidden = tf.constant(rng.normal(0, scale, [WORDS, WIDTH]), tf.float32)
    weights = tf.Variable(rng.normal(0, 1, [VOCABULARY, WIDTH]).astype(np.float32))
    bias = tf.Variable((rng.normal(0, 1, [VOCABULARY]) + shift).astype(np.float32))
    return hidden, weights, bias, tf.constant(rng.integers(0, VOCABULARY, [WORDS]), tf.int32)


def value_and_gradients(loss, hidden, weights, bias, targets, **more):
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        value = loss(hidden, weights, bias, targets, **more)
    return [value, *tape.gradient(value, [hidden, weights, bias])]


def in_float64(hidden, weights, bias, targets):
    """Compute loss and gradients in NumPy, from the formula."""
    hidden, weights, bias = (np.asarray(value, np.float64) for value in (hidden, weights, bias))
    logits = hidden @ weights.T + bias
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    one_hot = np.eye(VOCABULARY)[targets]
    loss = (np.log(np.exp(logits).sum(axis=1)) - logits[one_hot == 1]).mean()
    d_logits = (probabilities - one_hot) / len(hidden)
    return [loss, d_logits @ weights, d_logits.T @ hidden, d_logits.sum(axis=0)]


@pytest.mark.parametrize("wrap", [lambda f: f, GRAPH], ids=["eager", "graph"])
@pytest.mark.parametrize("chunk", [1, 10, 37, 100, None])
def test_loss_and_gradient_are_those_of_a_plain_softmax_in_float64(chunk, wrap):
    fast = value_and_gradients(wrap(tiled_softmax_cross_entropy), *problem(), chunk=chunk)
    for ours, exact in zip(fast, in_float64(*problem()), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("shift", "scale"), [(200.0, 1.0), (-200.0, 1.0), (0.0, 40.0), (0.0, 100.0)])
def test_logits_beyond_the_range_of_exp_are_shifted_by_the_maximum(shift, scale):
    for wrap in (lambda f: f, GRAPH):
        fast = value_and_gradients(wrap(tiled_softmax_cross_entropy), *problem(scale, shift), chunk=10)
        for ours, exact in zip(fast, in_float64(*problem(scale, shift)), strict=True):
            np.testing.assert_allclose(ours, exact, rtol=2e-4, atol=1e-5)


def test_bfloat16_products_are_close_and_results_are_float32():
    fast = value_and_gradients(tiled_softmax_cross_entropy, *problem(), dtype=tf.bfloat16, chunk=10)
    for ours, exact in zip(fast, in_float64(*problem()), strict=True):
        assert ours.dtype == tf.float32
        np.testing.assert_allclose(ours, exact, rtol=0.05, atol=0.02 * float(np.max(np.abs(exact))))


def test_the_gradient_scales_with_the_loss_and_the_loss_with_count():
    hidden, weights, bias, targets = problem()
    with tf.GradientTape() as tape:
        value = 3 * tiled_softmax_cross_entropy(hidden, weights, bias, targets, count=4 * WORDS)
    exact = in_float64(hidden, weights, bias, targets)
    np.testing.assert_allclose(value, 0.75 * exact[0], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(value, weights), 0.75 * exact[2], rtol=1e-5, atol=1e-7)


def test_a_nan_weight_makes_the_loss_nan():
    hidden, weights, bias, targets = problem()
    bias.assign(tf.tensor_scatter_nd_update(bias, [[3]], [np.nan]))
    assert np.isnan(tiled_softmax_cross_entropy(hidden, weights, bias, targets))


def test_a_large_vocabulary_takes_the_tiles_and_a_small_one_does_not(monkeypatch):
    calls = []
    monkeypatch.setattr(
        losses, "tiled_softmax_cross_entropy", lambda *arguments: calls.append(arguments) or tiled_softmax_cross_entropy(*arguments)
    )
    plain = float(losses.chunked_softmax_cross_entropy(*problem()))
    assert not calls
    monkeypatch.setattr(losses, "MAX_CHUNKED_SIZE", VOCABULARY - 1)
    assert float(losses.chunked_softmax_cross_entropy(*problem())) == pytest.approx(plain, rel=1e-6)
    assert calls


@pytest.mark.parametrize("size", [33_278, 100_000])
def test_no_more_than_the_exponentials_of_a_chunk_are_kept(size):
    softmax = tiled_softmax.TiledSoftmax(
        tf.zeros([1120, 2]), tf.zeros([size, 2]), tf.zeros([size]), tf.zeros([1120], tf.int32), tf.float32, 1.0
    )
    rows = int(softmax._chunk_rows(1120))
    assert rows >= tiled_softmax.MIN_ROWS
    assert rows * size <= tiled_softmax.CHUNK_EXPONENTIALS
