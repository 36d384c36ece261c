"""Softmax cross-entropy over the vocabulary: plain, exact in chunks, and estimated from a sample of the vocabulary."""

import tensorflow as tf

from lstm_lm.model.precision import matmul

LOGITS = 2**22  # of a chunk: 16 MiB, which stay in the cache
LEAST_CHUNK = 256  # words: with fewer the weights' gradient is read and written too often
MOST = 1e30  # of the sums of exponentials that are not shifted, and of the inverse of a target's


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


def chunked_softmax_cross_entropy(hidden, weights, bias, targets, dtype=tf.float32, chunk=None, count=None):
    """The mean of `softmax_cross_entropy`, exact, without ever holding the logits of all words.

    The gradient is computed with the loss, chunk by chunk, while a chunk's numbers are still in the cache:
    d loss / d logits = (softmax - one hot) / words. Between the three matrix products each chunk is passed over once, by exp:

    - The bias is one more column of the weights, and its gradient one more of theirs.
    - exp(logits) is not normalised: dividing the rows of the narrow products comes to the same. Its sums are one more
      column of the product with the weights.
    - The one hot part is a gather from the weights and a scatter into their gradient.
    - No maximum is subtracted. Where that would overflow, or a target's probability underflow, the chunk is done again with.

    Args:
        hidden, weights, bias, targets: as above.
        dtype: of the matrix products' factors; softmax and sums are float32 whatever it is.
        chunk: words at a time, or None for what suits the vocabulary's size.
        count: what the sum is divided by, or None for the number of words, which gives the mean.
    Returns:
        nats per word, float32 scalar.
    """
    targets = tf.convert_to_tensor(targets)

    @tf.custom_gradient
    def run(hidden, weights, bias):
        def target_of(numbers, start, stop):
            return tf.gather_nd(numbers, tf.stack([tf.range(stop - start), targets[start:stop]], axis=1))

        costs, d_hidden, d_columns, one = _by_chunks(hidden, weights, bias, dtype, chunk, count, target_of=target_of)
        scale = 1 / _count(hidden, count)
        d_hidden = (d_hidden - one[:, tf.newaxis] * tf.gather(weights, targets)) * scale
        ones = tf.ones([tf.shape(hidden)[0], 1])
        of_targets = tf.concat([hidden, ones], axis=1) * one[:, tf.newaxis] * scale
        d_columns = tf.tensor_scatter_nd_sub(d_columns, targets[:, tf.newaxis], of_targets)

        def gradient(d_loss):
            return d_hidden * d_loss, d_columns[:, :-1] * d_loss, d_columns[:, -1] * d_loss

        return tf.reduce_sum(costs) * scale, gradient

    return run(hidden, weights, bias)


def sampled_softmax_cross_entropy(hidden, weights, bias, targets, samples, log_expected, dtype=tf.float32, chunk=None):
    """An estimate of the mean of `softmax_cross_entropy`, from a sample of the vocabulary that all words share.

    The softmax's denominator is the target's term and, for all other words, the sample's terms by their expected counts
    (importance sampling: Bengio & Senécal 2008; Jean et al. 2015). It comes near the exact loss as the sample grows. The
    gradient of the weights is sparse: the cost of a step does not depend on the size of the vocabulary.

    Args:
        hidden, weights, bias, targets, dtype, chunk: as above.
        samples: int32 [samples], ids drawn with replacement.
        log_expected: float32 [samples], logarithm of how often each is expected in such a sample.
    Returns:
        nats per word, float32 scalar.
    """
    targets, samples = tf.convert_to_tensor(targets), tf.convert_to_tensor(samples)

    @tf.custom_gradient
    def run(hidden, columns, column_bias, own, own_bias):
        def own_logits(start, stop):
            return tf.reduce_sum(hidden[start:stop] * own[start:stop], axis=1) + own_bias[start:stop]

        def hits(start, stop):
            return samples == targets[start:stop, tf.newaxis]

        costs, d_hidden, d_columns, one = _by_chunks(hidden, columns, column_bias, dtype, chunk, None, own=own_logits, hits=hits)
        scale = 1 / _count(hidden, None)
        d_hidden = (d_hidden - one[:, tf.newaxis] * own) * scale

        def gradient(d_loss):
            d_own = -one * scale * d_loss
            return d_hidden * d_loss, d_columns[:, :-1] * d_loss, d_columns[:, -1] * d_loss, hidden * d_own[:, tf.newaxis], d_own

        return tf.reduce_sum(costs) * scale, gradient

    columns, column_bias = tf.gather(weights, samples), tf.gather(bias, samples) - log_expected
    return run(hidden, columns, column_bias, tf.gather(weights, targets), tf.gather(bias, targets))


def log_uniform(count, vocabulary_size, seed):
    """Draw ids with replacement, as frequencies of words fall by rank: P(id) = ln((id + 2) / (id + 1)) / ln(vocabulary + 1).

    Args:
        count: int.
        vocabulary_size: int.
        seed: int32 [2]: the same seed gives the same ids.
    Returns:
        (int32 [count], float32 [count]: the logarithm of how often each is expected among so many)
    """
    span = tf.math.log(float(vocabulary_size + 1))
    ids = tf.cast(tf.exp(tf.random.stateless_uniform([count], seed=seed) * span), tf.int32) - 1
    ids = tf.clip_by_value(ids, 0, vocabulary_size - 1)
    rank = tf.cast(ids, tf.float32) + 1
    return ids, tf.math.log(count * tf.math.log1p(1 / rank) / span)


def _count(hidden, count):
    return tf.cast(tf.shape(hidden)[0] if count is None else count, tf.float32)


def _by_chunks(hidden, columns, column_bias, dtype, chunk, count, target_of=None, own=None, hits=None):
    """The loop over chunks of words: three matrix products with `columns`, the softmax's weights or a sample of them.

    Args:
        hidden, columns, column_bias: float32 [words, width], [columns, width], [columns].
        target_of: (numbers [chunk, columns], start, stop) -> those of the targets [chunk], if the targets are among the columns.
        own: else, (start, stop) -> the targets' own logits [chunk], and
        hits: (start, stop) -> bool [chunk, columns], where a column is the row's target and does not count.
    Returns:
        (nats [words]; gradient of their sum by hidden, without the targets' part, [words, width]; gradient of their mean by
        columns and bias, likewise, [columns, width + 1]; how much of its own vector each word's part is, [words])
    """
    words = tf.shape(hidden)[0]
    width, size = columns.shape[1], columns.shape[0]
    chunk = chunk or max(LEAST_CHUNK, LOGITS // size)
    # With the columns turned over once: a product that reads them across is slower.
    with_bias = tf.transpose(tf.cast(tf.concat([columns, column_bias[:, tf.newaxis]], axis=1), dtype))  # [width + 1, columns]
    with_ones = tf.cast(tf.concat([columns, tf.ones([size, 1])], axis=1), dtype)  # [columns, width + 1]
    inputs = tf.concat([hidden, tf.ones([words, 1])], axis=1)  # [words, width + 1]
    scale = 1 / _count(hidden, count)

    def part(start, stop, shifted):
        rows = inputs[start:stop]
        logits = matmul(rows, with_bias, dtype)  # [chunk, columns]
        mine = None if own is None else own(start, stop)
        if shifted:
            shift = tf.reduce_max(logits, axis=1)
            shift = shift if own is None else tf.maximum(shift, mine)
            logits -= shift[:, tf.newaxis]
            mine = target_of(logits, start, stop) if own is None else mine - shift
        exps = tf.exp(logits)
        if hits is not None:
            exps = tf.where(hits(start, stop), 0.0, exps)
        of_target = target_of(exps, start, stop) if own is None else tf.exp(mine)
        rounded = tf.cast(exps, dtype)
        by_rows = matmul(rounded, with_ones, dtype)  # [chunk, width + 1]
        # Sums of rounded numbers would do for the gradient, but not for the loss.
        sums = by_rows[:, width] if dtype == tf.float32 else tf.reduce_sum(exps, axis=1)
        if own is not None:
            sums += of_target
        by_columns = matmul(rounded, rows * (scale / sums)[:, tf.newaxis], dtype, transpose_a=True)  # [columns, width + 1]
        # What the products hold of the target's own probability is rounded, but its distance from 1 should not be.
        held = tf.cast(tf.cast(of_target, dtype), tf.float32) if own is None else 0.0
        one = 1 - (of_target - held) / sums
        costs = tf.math.log(sums) - (tf.math.log(of_target) if mine is None else mine)
        sound = tf.reduce_all([tf.reduce_max(sums) < MOST, tf.reduce_min(of_target) > 1 / MOST])
        return sound, (costs, by_rows[:, :width] / sums[:, tf.newaxis], by_columns, one)

    def body(start, d_columns, arrays):
        stop = tf.minimum(start + chunk, words)
        sound, plain = part(start, stop, shifted=False)
        costs, by_rows, by_columns, one = tf.cond(sound, lambda: plain, lambda: part(start, stop, shifted=True)[1])
        arrays = [array.write(start // chunk, value) for array, value in zip(arrays, (costs, by_rows, one), strict=True)]
        return stop, d_columns + by_columns, arrays

    def array(*shape):
        return tf.TensorArray(tf.float32, size=(words + chunk - 1) // chunk, element_shape=[None, *shape], infer_shape=False)

    begin = 0, tf.zeros([size, width + 1]), [array(), array(width), array()]
    # One chunk after the other, or the memory of several would be needed.
    _, d_columns, arrays = tf.while_loop(lambda start, *_: start < words, body, begin, parallel_iterations=1)
    costs, d_hidden, one = [array.concat() for array in arrays]
    return costs, d_hidden, d_columns, one
