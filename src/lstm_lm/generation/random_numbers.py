"""The random numbers behind sampled texts."""

import tensorflow as tf

# Draws of a word, of which sampling with top_p may need several. The chance that none of them lies within top_p is far below that of a
# rounding error.
UNIFORMS_PER_WORD = 16


def uniforms(keys: tf.Tensor, seed: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Make the random numbers of some words. They depend on the row's key, the seed and the position, on nothing else.

    Args:
        keys: int32 [rows]; rows with equal keys get equal numbers.
        seed: int32 scalar.
        start: int32 scalar, the position of the first word: how many words were generated in the row before.
        count: int32 scalar, words.
    Returns:
        float32 [rows, count, UNIFORMS_PER_WORD] in [0, 1).
    """

    def row(key: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([start + count, UNIFORMS_PER_WORD], seed=tf.stack([seed, key]))[start:]

    # One more row than asked for, because map_fn cannot stack zero rows.
    rows = tf.map_fn(row, tf.concat([keys, [0]], axis=0), fn_output_signature=tf.TensorSpec([None, UNIFORMS_PER_WORD], tf.float32))
    return rows[:-1]
