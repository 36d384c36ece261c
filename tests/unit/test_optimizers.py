import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.training.optimizers import Adam, clip_by_global_norm, sum_duplicate_rows, update_averages


@pytest.mark.slow
@pytest.mark.parametrize(("decay", "beta2"), [(0.0, 0.999), (0.1, 0.999), (0.1, 0.9)])
def test_updates_match_keras_adam_and_adamw(decay, beta2):
    import keras

    start = np.random.default_rng(0).normal(size=[4, 3]).astype(np.float32)
    ours, theirs = tf.Variable(start), keras.Variable(start)
    optimizer = Adam([ours], decay, beta2)
    settings = {"learning_rate": 0.01, "beta_2": beta2, "epsilon": 1e-8}
    reference = keras.optimizers.AdamW(**settings, weight_decay=decay) if decay else keras.optimizers.Adam(**settings)
    for step in range(1, 30):
        gradient = tf.constant(np.random.default_rng(step).normal(size=[4, 3]), tf.float32)
        optimizer.apply([gradient], 0.01, tf.constant(step))
        reference.apply([gradient], [theirs])
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=2e-4, atol=2e-6)


def test_biases_do_not_decay():
    bias = tf.Variable([1.0, 2.0])
    Adam([bias], 0.5).apply([tf.zeros([2])], 0.1, tf.constant(1))
    assert bias.numpy().tolist() == [1.0, 2.0]


def test_gradients_are_scaled_down_to_the_maximum_norm():
    gradients = [tf.constant([3.0]), tf.constant([[4.0]])]
    clipped, norm = clip_by_global_norm(gradients, 1.0)
    assert float(norm) == 5.0
    np.testing.assert_allclose([clipped[0][0], clipped[1][0, 0]], [0.6, 0.8], rtol=1e-6)
    assert [g.numpy().tolist() for g in clip_by_global_norm(gradients, 10.0)[0]] == [[3.0], [[4.0]]]


@pytest.mark.parametrize(("decay", "beta2"), [(0.0, 0.999), (0.1, 0.9)])
def test_a_sparse_gradient_updates_only_its_rows(decay, beta2):
    rng = np.random.default_rng(0)
    start = rng.normal(size=[9, 3]).astype(np.float32)
    whole, part = tf.Variable(start), tf.Variable(start[[2, 5]])
    by_rows, dense = Adam([whole], decay, beta2), Adam([part], decay, beta2)
    for step in range(1, 20):
        values = tf.constant(rng.normal(size=[4, 3]), tf.float32)
        gradient = sum_duplicate_rows(tf.IndexedSlices(values, tf.constant([5, 2, 5, 2]), tf.constant([9, 3])))
        by_rows.apply([gradient], 0.01, tf.constant(step))
        dense.apply([tf.stack([values[1] + values[3], values[0] + values[2]])], 0.01, tf.constant(step))
    np.testing.assert_allclose(whole.numpy()[[2, 5]], part, rtol=1e-4, atol=1e-6)
    others = [0, 1, 3, 4, 6, 7, 8]
    assert (whole.numpy()[others] == start[others]).all()


def test_the_norm_of_a_sparse_gradient_equals_the_dense_norm():
    rows = tf.IndexedSlices(tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tf.constant([1, 0, 1]), tf.constant([3, 2]))
    dense = tf.convert_to_tensor(rows)
    clipped, norm = clip_by_global_norm([sum_duplicate_rows(rows), tf.constant([2.0])], 0.5)
    expected, same = clip_by_global_norm([dense, tf.constant([2.0])], 0.5)
    assert float(norm) == pytest.approx(float(same))
    np.testing.assert_allclose(tf.convert_to_tensor(clipped[0]), expected[0], rtol=1e-5)


def test_averages_follow_their_variables_faster_in_early_steps():
    values = np.random.default_rng(0).normal(size=[40, 2, 3]).astype(np.float32)
    variable, average = tf.Variable(values[0]), tf.Variable(values[0])
    expected = values[0].astype(np.float64)
    for step, value in enumerate(values, 1):
        variable.assign(value)
        update_averages([average], [variable], 0.6, tf.constant(step))
        decay = min(0.6, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        np.testing.assert_allclose(average, expected, rtol=1e-4, atol=1e-6)
