"""The number format of matrix products, and whether bfloat16 pays on this machine."""

import time

import tensorflow as tf

WORTHWHILE = 1.3  # bfloat16 must be faster than float32 by this factor to be chosen


def matmul(a, b, dtype, **transpose):
    """`tf.matmul` of factors rounded to `dtype`, the product in float32."""
    return tf.cast(tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), **transpose), tf.float32)


def resolve(precision):
    """`auto` -> `float32` or `bfloat16`, by timing one matrix product; any other value as it is.

    Returns:
        (dtype name, ratio of the times float32 / bfloat16 or None if nothing was timed)
    """
    if precision != "auto":
        return precision, None
    ratio = _seconds(tf.float32) / _seconds(tf.bfloat16)
    return ("bfloat16" if ratio >= WORTHWHILE else "float32"), ratio


def _seconds(dtype, rounds=5):
    """Median time of a product of the softmax's kind."""
    a, b = tf.ones([512, 256], dtype), tf.ones([256, 4096], dtype)
    tf.matmul(a, b).numpy()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        tf.matmul(a, b).numpy()
        taken.append(time.perf_counter() - start)
    return sorted(taken)[rounds // 2]
