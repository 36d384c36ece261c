"""Adaptive softmax (Grave et al. 2017): rare words in clusters with narrower vectors, for vocabularies of 100,000 words and more.

The head decides among the frequent words and the clusters, a cluster's tail among its words:

    P(word) = P_head(word)                            for a frequent word
    P(word) = P_head(cluster) P_tail(word | cluster)  for any other

so that it is an exact probability over all words, at a cost that hardly grows with their number.
"""

from typing import NamedTuple

import tensorflow as tf

from lstm_lm.model.losses import chunked_softmax_cross_entropy
from lstm_lm.model.precision import matmul


class Tail(NamedTuple):
    """One cluster: words `start` to `stop` (exclusive); projection [width, narrow], weights [words, narrow], bias [words]."""

    start: int
    stop: int
    projection: tf.Variable
    weights: tf.Variable
    bias: tf.Variable


def log_probabilities(hidden, head, head_bias, tails):
    """Of all words.

    Args:
        hidden: float32 [..., width].
        head, head_bias: float32 [frequent words + clusters, width], [frequent words + clusters].
        tails: list of Tail.
    Returns:
        float32 [..., vocabulary]
    """
    frequent = head.shape[0] - len(tails)
    of_head = tf.nn.log_softmax(tf.tensordot(hidden, head, [[-1], [1]]) + head_bias)
    parts = [of_head[..., :frequent]]
    for i, tail in enumerate(tails):
        narrow = tf.tensordot(hidden, tail.projection, 1)
        of_tail = tf.nn.log_softmax(tf.tensordot(narrow, tail.weights, [[-1], [1]]) + tail.bias)
        parts.append(of_head[..., frequent + i, tf.newaxis] + of_tail)
    return tf.concat(parts, axis=-1)


def cross_entropy(hidden, head, head_bias, tails, targets, dtype=tf.float32):
    """The mean of -log P(target), exact; a tail is computed for the words of its cluster only.

    Args:
        hidden: float32 [words, width]. head, head_bias, tails: as above.
        targets: int32 [words].
        dtype: of the matrix products' factors.
    Returns:
        nats per word, float32 scalar.
    """
    frequent = head.shape[0] - len(tails)
    in_head, words = targets, tf.shape(targets)[0]
    loss = 0.0
    for i, tail in enumerate(tails):
        mine = tf.logical_and(targets >= tail.start, targets < tail.stop)
        in_head = tf.where(mine, frequent + i, in_head)
        rows = tf.where(mine)[:, 0]

        def of_tail(rows=rows, tail=tail):
            narrow = matmul(tf.gather(hidden, rows), tail.projection, dtype)
            return chunked_softmax_cross_entropy(narrow, tail.weights, tail.bias, tf.gather(targets, rows) - tail.start, dtype, count=words)

        loss += tf.cond(tf.size(rows) > 0, of_tail, lambda: 0.0)
    return loss + chunked_softmax_cross_entropy(hidden, head, head_bias, in_head, dtype)
