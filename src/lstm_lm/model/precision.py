"""The number format of matrix products, and whether bfloat16 is faster on this machine."""

import time

import tensorflow as tf

from lstm_lm.model import devices

MIN_SPEEDUP = 1.3  # of bfloat16 against float32 for it to be used
GPU_PRODUCTS = 64  # timed at once on a GPU, where starting one takes about as long as computing it


def matmul(a: tf.Tensor, b: tf.Tensor, dtype: tf.DType, *, transpose_a: bool = False, transpose_b: bool = False) -> tf.Tensor:
    """Multiply factors rounded to `dtype`; the product is float32."""
    product = tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), transpose_a=transpose_a, transpose_b=transpose_b)
    return tf.cast(product, tf.float32)


def resolve(precision: str) -> tuple[str, float | None]:
    """Replace `auto` by `float32` or `bfloat16`, by timing one matrix product; keep any other value.

    Returns:
        (name of the dtype; speedup of bfloat16 against float32, or None if nothing was timed)
    """
    if precision != "auto":
        return precision, None
    speedup = measure_speedup()
    return ("bfloat16" if speedup >= MIN_SPEEDUP else "float32"), speedup


def measure_speedup(rounds: int = 9) -> float:
    """Measure how much faster a product of the softmax's size is in bfloat16 than in float32, where TensorFlow places the model.

    The two take turns and the minimum times count, so that a busy moment has little effect.
    """
    products = GPU_PRODUCTS if devices.gpus() else 1
    factors = {dtype: (tf.ones([512, 256], dtype), tf.ones([256, 4096], dtype)) for dtype in (tf.float32, tf.bfloat16)}
    minimum = dict.fromkeys(factors, float("inf"))
    for i in range(rounds + 1):
        for dtype, (a, b) in factors.items():
            start = time.perf_counter()
            for _ in range(products):
                product = tf.matmul(a, b)
            product[0, 0].numpy()  # waits for it; fetching all of it from a GPU would take longer than computing it
            if i:  # the first round warms up
                minimum[dtype] = min(minimum[dtype], time.perf_counter() - start)
    return minimum[tf.float32] / minimum[tf.bfloat16]
