"""Softmax cross-entropy over the vocabulary."""

import tensorflow as tf

from lstm_lm.precision import matmul


def nats(logits, targets):
    """float32 [..., vocabulary], int32 [...] -> what each target costs, float32 [...]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)


def softmax_cross_entropy(hidden, weights, bias, targets):
    """The plain one: all logits at once, TensorFlow's own loss and gradient.

    Args:
        hidden: float32 [words, width].
        weights: float32 [vocabulary, width].
        bias: float32 [vocabulary].
        targets: int32 [words].
    Returns:
        nats per word, float32 [words].
    """
    return nats(tf.matmul(hidden, weights, transpose_b=True) + bias, targets)


def chunked_softmax_cross_entropy(hidden, weights, bias, targets, dtype=tf.float32, chunk=512):
    """The mean of `softmax_cross_entropy`, exact, without ever holding the logits of all words.

    The gradient is computed with the loss, chunk by chunk, while a chunk's probabilities are still in the cache:
    d loss / d logits = (softmax - one hot) / words.

    Args:
        hidden, weights, bias, targets: as above; the number of words must be known while tracing.
        dtype: of the matrix products' factors; softmax and sums are float32 whatever it is.
        chunk: words at a time.
    Returns:
        nats per word, float32 scalar: the mean over all words.
    """
    words = hidden.shape[0]

    @tf.custom_gradient
    def loss_and_gradient(hidden, weights, bias):
        cast_weights = tf.cast(weights, dtype)
        total, d_hidden, d_weights, d_bias = 0.0, [], 0.0, 0.0
        for start in range(0, words, chunk):
            rows = hidden[start : start + chunk]  # [chunk, width]
            logits = matmul(rows, cast_weights, dtype, transpose_b=True) + bias  # [chunk, vocabulary]
            probabilities = tf.nn.softmax(logits)
            at = tf.stack([tf.range(rows.shape[0]), targets[start : start + chunk]], axis=1)
            # The normaliser from the largest probability, which cannot underflow as a target's can.
            normaliser = tf.reduce_max(logits, axis=1) - tf.math.log(tf.reduce_max(probabilities, axis=1))
            total += tf.reduce_sum(normaliser - tf.gather_nd(logits, at))
            d_logits = tf.tensor_scatter_nd_sub(probabilities, at, tf.ones([rows.shape[0]]))
            d_bias += tf.reduce_sum(d_logits, axis=0)
            d_logits = tf.cast(d_logits, dtype)
            d_hidden.append(matmul(d_logits, cast_weights, dtype))
            d_weights += matmul(d_logits, rows, dtype, transpose_a=True)
        d_hidden = tf.concat(d_hidden, axis=0)

        def gradient(d_loss):
            scale = d_loss / words
            return d_hidden * scale, d_weights * scale, d_bias * scale

        return total / words, gradient

    return loss_and_gradient(hidden, weights, bias)
