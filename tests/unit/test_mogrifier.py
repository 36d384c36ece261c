import functools

import numpy as np
import pytest
import tensorflow as tf
from test_lstm import GRAPH, HIDDEN, INPUTS, gradients, problem

from conftest import make_tiny_model
from lstm_lm.model import lstm, mogrifier

ROUNDS, RANK = 5, 2


def factors(rounds=ROUNDS, seed=3):
    rng = np.random.default_rng(seed)
    widths = [(HIDDEN, INPUTS) if i % 2 == 0 else (INPUTS, HIDDEN) for i in range(rounds)]
    sizes = [size for source, scaled in widths for size in ([source, RANK], [RANK, scaled])]
    return [tf.constant(rng.normal(0, 0.7, size), tf.float32) for size in sizes]


def scan(x, kernel, recurrent, bias, h, c, *factors):
    return mogrifier.scan(x, (kernel, recurrent, bias), factors, h, c)


def unrolled(x, kernel, recurrent, bias, h, c, *factors, dtype=tf.float32):
    return mogrifier.unrolled(x, (kernel, recurrent, bias), factors, h, c, dtype)


def test_input_and_output_scale_each_other_in_turns():
    x, h = tf.constant([[2.0]]), tf.constant([[3.0]])
    # Round 1: x = 2 sigmoid(3 * 1 * log(3) / 3) * 2 = 2 * 3/4 * 2. Round 2: h = 2 sigmoid(3 * 1 * 0) * 3 = 3. Round 3: a scale of 1/2.
    numbers = [1.0, np.log(3) / 3, 1.0, 0.0, 1.0, -np.log(3) / 3]
    x, h = mogrifier.modulate(x, h, [tf.constant([[number]], tf.float32) for number in numbers])
    assert float(x[0, 0]) == pytest.approx(3 * 0.5)
    assert float(h[0, 0]) == pytest.approx(3)


@pytest.mark.parametrize("run", [scan, unrolled])
def test_with_products_of_zero_it_is_the_plain_lstm(run):
    zeros = [tf.zeros_like(factor) for factor in factors()]
    for ours, expected in zip(run(*problem(), *zeros), lstm.scan(*problem()), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rounds", [1, 2, ROUNDS])
@pytest.mark.parametrize("wrap", [lambda f: f, GRAPH])
def test_the_unrolled_gradient_matches_automatic_differentiation(wrap, rounds):
    tensors = [*problem(), *factors(rounds)]
    for ours, expected in zip(unrolled(*tensors), scan(*tensors), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(gradients(wrap(unrolled), tensors), gradients(wrap(scan), tensors), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(tf.reduce_max(abs(theirs))))


def test_bfloat16_products_are_close_in_value_and_gradient():
    tensors = [*problem(), *factors()]
    rounded = functools.partial(unrolled, dtype=tf.bfloat16)
    for ours, theirs in zip(rounded(*tensors), unrolled(*tensors), strict=True):
        assert ours.dtype == tf.float32
        np.testing.assert_allclose(ours, theirs, atol=0.05)
    for ours, theirs in zip(gradients(rounded, tensors), gradients(unrolled, tensors), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.05 * float(tf.reduce_max(abs(theirs))))


def test_two_parts_with_carried_state_equal_one_long_sequence():
    x, *weights, h, c = problem()
    whole = unrolled(x, *weights, h, c, *factors())
    first, h, c = unrolled(x[:, :2], *weights, h, c, *factors())
    second, h, c = unrolled(x[:, 2:], *weights, h, c, *factors())
    for ours, expected in zip((tf.concat([first, second], axis=1), h, c), whole, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


def test_the_other_weights_start_the_same_with_rounds_and_without():
    plain, mogrified = make_tiny_model(), make_tiny_model(mogrifier_rounds=4, mogrifier_rank=2)
    for name, variable in plain.weights.items():
        np.testing.assert_array_equal(variable, mogrified.weights[name])
    assert [name for name in mogrified.weights if "mogrifier" in name][:3] == [
        "lstm_0_mogrifier_0_left",
        "lstm_0_mogrifier_0_right",
        "lstm_0_mogrifier_1_left",
    ]
