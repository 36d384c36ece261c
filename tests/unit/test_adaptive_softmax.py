import functools

import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.model.adaptive_softmax import Tail, cross_entropy, log_probabilities
from lstm_lm.model.shape import tail_clusters

GRAPH = functools.partial(tf.function, autograph=False)  # as the trainer builds its graphs
WIDTH, VOCABULARY, CUTOFFS = 8, 30, (6, 15)


def problem(words=40, targets=None):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return tf.Variable(rng.normal(size=shape).astype(np.float32))

    tails = [
        Tail(start, stop, normal(WIDTH, narrow), normal(stop - start, narrow), normal(stop - start))
        for start, stop, narrow in tail_clusters(VOCABULARY, CUTOFFS, WIDTH)
    ]
    targets = rng.integers(0, VOCABULARY, words) if targets is None else targets
    return normal(words, WIDTH), normal(CUTOFFS[0] + 2, WIDTH), normal(CUTOFFS[0] + 2), tails, tf.constant(targets, tf.int32)


def plain(hidden, head, head_bias, tails):
    """Compute the probabilities in NumPy, one word of the vocabulary at a time."""

    def softmax(logits):
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exps / exps.sum(axis=1, keepdims=True)

    hidden, head, head_bias = (np.asarray(part, np.float64) for part in (hidden, head, head_bias))
    head_probs = softmax(hidden @ head.T + head_bias)
    result = np.zeros([len(hidden), VOCABULARY])
    result[:, : CUTOFFS[0]] = head_probs[:, : CUTOFFS[0]]
    for i, tail in enumerate(tails):
        tail_probs = softmax(hidden @ tail.projection.numpy() @ tail.weights.numpy().T + tail.bias.numpy())
        for word in range(tail.start, tail.stop):
            result[:, word] = head_probs[:, CUTOFFS[0] + i] * tail_probs[:, word - tail.start]
    return result


def test_probabilities_sum_to_1_over_all_words():
    hidden, head, head_bias, tails, _ = problem()
    probs = np.exp(log_probabilities(hidden, head, head_bias, tails))
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(probs, plain(hidden, head, head_bias, tails), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("targets", [None, [0, 5, 3], [7, 8], [29, 29, 16]], ids=["all", "head alone", "first tail", "last tail"])
@pytest.mark.parametrize("wrap", [lambda f: f, pytest.param(GRAPH, marks=pytest.mark.slow)], ids=["eager", "graph"])
def test_the_loss_matches_the_probabilities_in_value_and_gradient(targets, wrap):
    hidden, head, head_bias, tails, targets = problem(40 if targets is None else len(targets), targets)
    variables = [hidden, head, head_bias, *(variable for tail in tails for variable in tail[2:])]

    def value_and_gradients(loss):
        with tf.GradientTape() as tape:
            value = loss()
        gradients = tape.gradient(value, variables, unconnected_gradients="zero")
        return [value, *(tf.convert_to_tensor(gradient) for gradient in gradients)]

    def slow():
        return -tf.reduce_mean(tf.gather(log_probabilities(hidden, head, head_bias, tails), targets, batch_dims=1))

    fast = wrap(lambda: value_and_gradients(lambda: cross_entropy(hidden, head, head_bias, tails, targets)))()
    for ours, theirs in zip(fast, value_and_gradients(slow), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
