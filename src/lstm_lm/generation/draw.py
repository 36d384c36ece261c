"""Drawing from a distribution over a large vocabulary, and finding its most probable words, faster than by sorting or one long sum."""

import math

import tensorflow as tf

MAX_SUM = 1e20  # of exponentials; the smallest is 1 / MAX_SUM. Both are far from the limits of float32.
MAX_UNIFORM = 1 - 2.0**-24  # the largest float32 below 1
GROUP = 16  # words, any CPU's vectors hold as many or a fraction; the k most probable words are in the k groups with the largest maxima


def draw(weights: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Draw from a distribution: the word at which its cumulative sum passes `uniform` times the total.

    This takes two steps, because a cumulative sum is slow: first a block of about sqrt(words) words, then a word within the block.

    Args:
        weights: float32 [rows, words], at least 0, not normalized.
        uniform: float32 [rows] in [0, MAX_UNIFORM].
    Returns:
        int32 [rows], an index whose weight is above 0.
    """
    return draw_from_blocks(*split_into_blocks(weights), uniform)


def draw_from_blocks(blocks: tf.Tensor, sums: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Draw as `draw` does, from the result of `split_into_blocks`."""
    block, rest = inverse_cdf(sums, uniform)  # [rows]
    word, _ = inverse_cdf(tf.gather(blocks, block, axis=1, batch_dims=1), rest)
    return block * blocks.shape[2] + word


def exponentials(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Exponentiate logits, up to one factor for each row.

    The factor is 1, which saves two passes over the logits. Only in rows whose sum would be too large or too small, it makes the largest
    exponential 1.

    Args:
        logits: float32 [rows, words].
    Returns:
        (exponentials float32 [rows, words], and the two results of `split_into_blocks` for them)
    """
    exps = tf.exp(logits)
    blocks, sums = split_into_blocks(exps)
    total = tf.reduce_sum(sums, axis=1, keepdims=True)  # only compared with limits far away, so its rounding does not matter
    fits = tf.logical_and(total > 1 / MAX_SUM, total < MAX_SUM)

    def shifted() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        exps = tf.exp(logits - tf.where(fits, 0.0, tf.reduce_max(logits, axis=1, keepdims=True)))
        return exps, *split_into_blocks(exps)

    exps, blocks, sums = tf.cond(tf.reduce_all(fits), lambda: (exps, blocks, sums), shifted)
    return exps, blocks, sums


def split_into_blocks(weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """[rows, words] -> (blocks [rows, blocks, size], padded with 0; their sums [rows, blocks])."""
    blocks = _grouped(weights, block_size(weights.shape[1]), 0.0)
    return blocks, tf.reduce_sum(blocks, axis=2)


def row_sums(numbers: tf.Tensor) -> tf.Tensor:
    """Add up each row, float32 [rows, words] -> [rows], in an order that does not depend on the number of rows.

    A plain `tf.reduce_sum` adds up a single row in another order than several.
    """
    _, sums = split_into_blocks(numbers)
    return tf.cumsum(sums, axis=1)[:, -1]


def log_softmax(logits: tf.Tensor) -> tf.Tensor:
    """Do what `tf.nn.log_softmax` does, with the same result for a row whatever the number of rows.

    Args:
        logits: float32 [rows, any multiple of GROUP].
    """
    shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    sums = row_sums(tf.exp(shifted))
    # Logarithms of whole vectors: one for each row alone may be rounded in another way.
    return shifted - tf.math.log(tf.tile(sums[:, tf.newaxis], [1, GROUP]))[:, :1]


def block_size(words: int) -> int:
    """About sqrt(words), a multiple of GROUP."""
    return GROUP * max(round(math.sqrt(words) / GROUP), 1)


def inverse_cdf(weights: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Find where the cumulative sum passes `uniform` times the total.

    Args:
        weights: float32 [rows, words], at least 0.
        uniform: float32 [rows] in [0, MAX_UNIFORM].
    Returns:
        (index int32 [rows]; how far into the weight at that index, float32 [rows] in [0, MAX_UNIFORM])
    """
    cumulative = tf.cumsum(weights, axis=1)  # [rows, words]
    # MAX_UNIFORM times a total, rounded, is below the total: the index is one at which the sum grows.
    bound = uniform[:, tf.newaxis] * cumulative[:, -1:]
    index = tf.raw_ops.UpperBound(sorted_inputs=cumulative, values=bound)  # [rows, 1]
    weight = tf.gather(weights, index, axis=1, batch_dims=1)
    rest = bound - tf.gather(cumulative, index, axis=1, batch_dims=1) + weight
    return tf.squeeze(index, 1), tf.clip_by_value(tf.squeeze(rest / weight, 1), 0.0, MAX_UNIFORM)


def most_probable(logits: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Do what `tf.math.top_k` does, in two steps: find the groups with the largest maxima, then the largest values in these.

    Args:
        logits: float32 [rows, words].
        k: int32 scalar, at most the number of words.
    Returns:
        (values float32 [rows, k], falling; their indices int32 [rows, k])
    """

    def by_groups() -> tuple[tf.Tensor, tf.Tensor]:
        groups = _grouped(logits, GROUP, logits.dtype.min)  # [rows, groups, GROUP]
        # Groups in the order of their words, or of words that are equally probable not always the first would come first.
        best_groups = tf.sort(tf.math.top_k(tf.reduce_max(groups, axis=2), k).indices, axis=1)  # [rows, k]
        candidates = tf.reshape(tf.gather(groups, best_groups, axis=1, batch_dims=1), [-1, k * GROUP])
        values, at = tf.math.top_k(candidates, k)
        return values, tf.gather(best_groups, at // GROUP, axis=1, batch_dims=1) * GROUP + at % GROUP

    values, words = tf.cond(k * GROUP * 2 < logits.shape[1], by_groups, lambda: tuple(tf.math.top_k(logits, k)))
    return values, words


def _grouped(numbers: tf.Tensor, size: int, padding: float) -> tf.Tensor:
    """[rows, words] -> [rows, groups, size] of neighbors, padded at the end."""
    words = numbers.shape[1]
    groups = -(-words // size)
    if groups * size > words:  # not tf.pad, which is several times slower
        numbers = tf.concat([numbers, tf.fill([tf.shape(numbers)[0], groups * size - words], padding)], axis=1)
    return tf.reshape(numbers, [-1, groups, size])
