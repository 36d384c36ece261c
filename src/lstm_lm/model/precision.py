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
    ratio = _ratio()
    return ("bfloat16" if ratio >= WORTHWHILE else "float32"), ratio


def _ratio(rounds=9):
    """How much longer a product of the softmax's kind takes in float32: least times, taken in turn, so that a busy moment counts little."""
    factors = {dtype: (tf.ones([512, 256], dtype), tf.ones([256, 4096], dtype)) for dtype in (tf.float32, tf.bfloat16)}
    least = dict.fromkeys(factors, float("inf"))
    for i in range(rounds + 1):
        for dtype, (a, b) in factors.items():
            start = time.perf_counter()
            tf.matmul(a, b).numpy()
            if i:  # the first round warms up
                least[dtype] = min(least[dtype], time.perf_counter() - start)
    return least[tf.float32] / least[tf.bfloat16]
