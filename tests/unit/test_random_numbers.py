import numpy as np
import tensorflow as tf

from lstm_lm.generation.random_numbers import UNIFORMS_PER_WORD, uniforms


def test_numbers_are_uniform_and_determined_by_key_seed_and_position():
    from scipy import stats

    keys = tf.constant([1, 2, 1])
    numbers = uniforms(keys, tf.constant(3), tf.constant(0), tf.constant(2_000)).numpy()
    assert numbers.shape == (3, 2_000, UNIFORMS_PER_WORD)
    assert (numbers[0] == numbers[2]).all()
    assert abs(np.corrcoef(numbers[0].ravel(), numbers[1].ravel())[0, 1]) < 0.03
    assert stats.kstest(numbers[0].ravel(), "uniform").pvalue > 1e-3
    assert (numbers != uniforms(keys, tf.constant(4), tf.constant(0), tf.constant(2_000)).numpy()).any()
    assert (numbers[:, 90:100] == uniforms(keys, tf.constant(3), tf.constant(90), tf.constant(10)).numpy()).all()
