"""Adaptive softmax (Grave et al. 2017): rare words in clusters with narrower vectors, for large vocabularies.

The head decides among the frequent words and the clusters, a cluster's tail among its words:

    P(word) = P_head(word)                            for a frequent word
    P(word) = P_head(cluster) P_tail(word | cluster)  for any other

It is an exact probability over all words, at a cost that hardly grows with their number.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from lstm_lm.model.losses import chunked_softmax_cross_entropy
from lstm_lm.model.precision import matmul


class Tail(NamedTuple):
    """The weights of one cluster.

    Attributes:
        start, stop: the cluster's words, `stop` exclusive.
        projection: [width, narrow].
        weights, bias: [words, narrow], [words].
    """

    start: int
    stop: int
    projection: tf.Variable
    weights: tf.Variable
    bias: tf.Variable


def log_probabilities(hidden: tf.Tensor, head: tf.Tensor, head_bias: tf.Tensor, tails: Sequence[Tail]) -> tf.Tensor:
    """Compute the log probabilities of all words.

    Args:
        hidden: float32 [..., width].
        head, head_bias: float32 [frequent words + clusters, width], [frequent words + clusters].
        tails: one for each cluster.
    Returns:
        float32 [..., vocabulary]
    """
    frequent = head.shape[0] - len(tails)
    head_log_probs = tf.nn.log_softmax(tf.tensordot(hidden, head, [[-1], [1]]) + head_bias)
    log_probs = [head_log_probs[..., :frequent]]
    for i, tail in enumerate(tails):
        narrow = tf.tensordot(hidden, tail.projection, 1)
        tail_log_probs = tf.nn.log_softmax(tf.tensordot(narrow, tail.weights, [[-1], [1]]) + tail.bias)
        log_probs.append(head_log_probs[..., frequent + i, tf.newaxis] + tail_log_probs)
    return tf.concat(log_probs, axis=-1)


def cross_entropy(
    hidden: tf.Tensor, head: tf.Tensor, head_bias: tf.Tensor, tails: Sequence[Tail], targets: tf.Tensor, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Compute the mean of -log P(target), exactly; a tail is computed for the words of its cluster only.

    Args:
        hidden: float32 [words, width].
        head, head_bias, tails: as for `log_probabilities`.
        targets: int32 [words].
        dtype: of the matrix products' factors.
    Returns:
        nats per word, float32 scalar.
    """
    frequent = head.shape[0] - len(tails)
    head_targets, words = targets, tf.shape(targets)[0]
    loss = 0.0
    for i, tail in enumerate(tails):
        in_cluster = tf.logical_and(targets >= tail.start, targets < tail.stop)
        head_targets = tf.where(in_cluster, frequent + i, head_targets)
        rows = tf.where(in_cluster)[:, 0]

        def tail_loss(rows: tf.Tensor = rows, tail: Tail = tail) -> tf.Tensor:
            narrow = matmul(tf.gather(hidden, rows), tail.projection, dtype)
            tail_targets = tf.gather(targets, rows) - tail.start
            return chunked_softmax_cross_entropy(narrow, tail.weights, tail.bias, tail_targets, dtype, count=words)

        loss += tf.cond(tf.size(rows) > 0, tail_loss, lambda: 0.0)
    return loss + chunked_softmax_cross_entropy(hidden, head, head_bias, head_targets, dtype)
