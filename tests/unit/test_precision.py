import numpy as np
import tensorflow as tf

from lstm_lm.model import devices, precision


def test_auto_is_resolved_by_timing_and_other_values_are_kept(monkeypatch):
    assert precision.resolve("float32") == ("float32", None)
    assert precision.resolve("bfloat16") == ("bfloat16", None)
    dtype, speedup = precision.resolve("auto")
    assert dtype == ("bfloat16" if speedup >= precision.MIN_SPEEDUP else "float32")
    for measured, expected in ((3.0, "bfloat16"), (0.9, "float32"), (1.1, "float32")):
        monkeypatch.setattr(precision, "measure_speedup", lambda measured=measured: measured)
        assert precision.resolve("auto") == (expected, measured)


def test_on_a_gpu_many_products_are_timed_at_once(monkeypatch):
    products = []
    matmul = tf.matmul
    monkeypatch.setattr(tf, "matmul", lambda a, b: products.append(a.dtype) or matmul(a, b))
    assert precision.measure_speedup(rounds=2) > 0
    assert products == [tf.float32, tf.bfloat16] * 3
    products.clear()
    monkeypatch.setattr(devices, "gpus", lambda: ["NVIDIA H200"])
    monkeypatch.setattr(precision, "GPU_PRODUCTS", 3)
    assert precision.measure_speedup(rounds=1) > 0
    assert products == [*[tf.float32] * 3, *[tf.bfloat16] * 3] * 2


def test_a_product_of_rounded_factors_is_float32():
    a, b = np.random.default_rng(0).normal(size=[2, 30, 30]).astype(np.float32)
    assert precision.matmul(a, b, tf.bfloat16).dtype == tf.float32
    np.testing.assert_allclose(precision.matmul(a, b, tf.bfloat16), a @ b, atol=0.2)
    np.testing.assert_allclose(precision.matmul(a, b, tf.float32, transpose_b=True), a @ b.T, rtol=1e-4, atol=1e-5)
    assert np.abs(precision.matmul(a, b, tf.bfloat16) - a @ b).max() > 0.005  # the factors are rounded
