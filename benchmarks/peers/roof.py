"""How fast tf.matmul is: a square product, and the softmax's three at the shapes of 512 words."""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

import protocol

LEAST_SECONDS = 0.25  # that each product is repeated for


def products(chosen):
    """{name: (a, b, transpose_a, transpose_b) as shapes}."""
    words, width, vocabulary, square = chosen["words"], chosen["width"], chosen["vocabulary"], chosen["square"]
    return {
        f"square, {square:,}": ([square, square], [square, square], False, False),
        f"logits, {words} x {width} x {vocabulary:,}": ([words, width], [vocabulary, width], False, True),
        f"gradient of the hidden state, {words} x {vocabulary:,} x {width}": ([words, vocabulary], [vocabulary, width], False, False),
        f"gradient of the weights, {vocabulary:,} x {words} x {width}": ([words, vocabulary], [words, width], True, False),
    }


def rate(a, b, transpose_a, transpose_b, dtype):
    """Best GFLOP/s."""
    product = tf.function(lambda a, b: tf.matmul(a, b, transpose_a, transpose_b))
    factors = tf.cast(tf.random.normal(a), dtype), tf.cast(tf.random.normal(b), dtype)
    result = product(*factors)
    inner = a[0] if transpose_a else a[1]
    best, until = float("inf"), time.perf_counter() + LEAST_SECONDS
    while best == float("inf") or time.perf_counter() < until:
        began = time.perf_counter()
        product(*factors).numpy()
        best = min(best, time.perf_counter() - began)
    return 2 * int(result.shape[0]) * int(result.shape[1]) * inner / best / 1e9


def main():
    chosen = protocol.settings()

    def run(_):
        rates = {name: {dtype: rate(*shapes, dtype) for dtype in chosen["dtypes"]} for name, shapes in products(chosen).items()}
        return {"rates": rates}

    run(1)
    protocol.serve(run, version="TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()
