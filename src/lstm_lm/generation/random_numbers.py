"""The random numbers behind sampled texts: a function of seed, key, position and draw, so that no number depends on other rows or calls.

This is SplitMix64 (Steele, Lea and Flood 2014) with a counter: the number of any position is computed without those before it.
"""

import tensorflow as tf

# Draws of a word, of which sampling with top_p may need several. The chance that none of them lies within top_p is far below that of a
# rounding error.
UNIFORMS_PER_WORD = 16
INCREMENT = 0x9E3779B97F4A7C15  # of the counter: 2^64 divided by the golden ratio, odd
ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))  # shifts and factors of the finalizer
RANDOM_BITS = 24  # that fit into the digits of a float32


def row_keys(seeds: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Join the seed and the key of each row.

    Args:
        seeds: int32 [rows].
        keys: int64 [rows], of the prompt and the number of the sample.
    Returns:
        uint64 [rows]
    """
    return _mix(tf.bitwise.bitwise_xor(_mix(tf.cast(seeds, tf.uint64) + 1), tf.cast(keys, tf.uint64)))


def uniforms(keys: tf.Tensor, positions: tf.Tensor, draw: int | tf.Tensor = 0) -> tf.Tensor:
    """Make the random numbers of some words.

    Args:
        keys: uint64, from `row_keys`; of any shape that can be broadcast with `positions`.
        positions: int32, how many words were generated in the row before this one.
        draw: int32 scalar below UNIFORMS_PER_WORD, which of the numbers of a word.
    Returns:
        float32 in [0, 1): at most 1 - 2^-24.
    """
    counter = tf.cast(positions, tf.int64) * UNIFORMS_PER_WORD + tf.cast(draw, tf.int64) + 1
    mixed = _mix(keys + tf.cast(counter, tf.uint64) * tf.constant(INCREMENT, tf.uint64))
    return tf.cast(_shifted(mixed, 64 - RANDOM_BITS), tf.float32) * 2.0**-RANDOM_BITS


def _mix(numbers: tf.Tensor) -> tf.Tensor:
    """The finalizer of SplitMix64: a permutation of uint64 in which each bit of the input changes half of the bits."""
    for shift, factor in ROUNDS:
        numbers = tf.bitwise.bitwise_xor(numbers, _shifted(numbers, shift)) * tf.constant(factor, tf.uint64)
    return tf.bitwise.bitwise_xor(numbers, _shifted(numbers, 31))


def _shifted(numbers: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(numbers, tf.constant(bits, tf.uint64))
