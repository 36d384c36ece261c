"""The throughput of tf.matmul: a square product, and the three products of the softmax."""

import os
import time
from typing import Any, Dict, List, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

import protocol

MIN_SECONDS = 0.25  # each product is repeated for at least so long


class Product(NamedTuple):
    """Shapes of two matrices, and whether each is transposed."""

    a: List[int]
    b: List[int]
    transpose_a: bool
    transpose_b: bool


def products(config: protocol.Settings) -> Dict[str, Product]:
    """Return the products by label."""
    words, width, vocabulary, square = config["words"], config["width"], config["vocabulary"], config["square"]
    return {
        f"square, {square:,}": Product([square, square], [square, square], False, False),
        f"logits, {words} x {width} x {vocabulary:,}": Product([words, width], [vocabulary, width], False, True),
        f"gradient of the hidden state, {words} x {vocabulary:,} x {width}": Product(
            [words, vocabulary], [vocabulary, width], False, False
        ),
        f"gradient of the weights, {vocabulary:,} x {words} x {width}": Product([words, vocabulary], [words, width], True, False),
    }


def best_rate(product: Product, dtype: str) -> float:
    """Return the throughput in the fastest repetition, GFLOP/s."""
    multiply = tf.function(lambda a, b: tf.matmul(a, b, product.transpose_a, product.transpose_b))
    factors = tf.cast(tf.random.normal(product.a), dtype), tf.cast(tf.random.normal(product.b), dtype)
    result = multiply(*factors)
    inner = product.a[0] if product.transpose_a else product.a[1]
    best, end = float("inf"), time.perf_counter() + MIN_SECONDS
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        multiply(*factors).numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * int(result.shape[0]) * int(result.shape[1]) * inner / best / 1e9


def main() -> None:
    """Serve the measurement."""
    config = protocol.settings()

    def run(_: int) -> Dict[str, Any]:
        rates = {name: {dtype: best_rate(product, dtype) for dtype in config["dtypes"]} for name, product in products(config).items()}
        return {"rates": rates}

    run(1)
    protocol.serve(run, version="TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()
