import numpy as np
import tensorflow as tf

from lstm_lm.generation.random_numbers import UNIFORMS_PER_WORD, row_keys, uniforms

MASK = 2**64 - 1


def mix(number):
    """Mix as SplitMix64 does, in Python's whole numbers."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & MASK
    return number ^ number >> 31


def test_the_generator_is_splitmix64():
    """The first numbers of seed 1234567 are those of the reference implementation."""
    state, numbers = 1234567, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        numbers.append(mix(state))
    assert numbers == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    key = tf.constant([1234567], tf.uint64)
    in_graph = [float(uniforms(key, tf.constant([0]), draw)[0]) for draw in range(3)]
    assert in_graph == [(number >> 40) / 2**24 for number in numbers]


def test_the_number_of_a_word_is_determined_by_seed_key_position_and_draw():
    seeds, keys = [3, 2**31 - 1, 0], [5, 2**53 - 112, 0]
    joined = row_keys(tf.constant(seeds), tf.constant(keys, tf.int64))
    numbers = uniforms(joined, tf.constant([7, 0, 100_000]), 2).numpy()
    for i, (seed, key, position) in enumerate(zip(seeds, keys, (7, 0, 100_000), strict=True)):
        start = mix(mix(seed + 1) ^ key)
        expected = mix((start + 0x9E3779B97F4A7C15 * (position * UNIFORMS_PER_WORD + 3)) & MASK) >> 40
        assert numbers[i] == expected / 2**24
    assert numbers.max() < 1


def test_numbers_are_uniform_and_rows_are_independent():
    from scipy import stats

    def block(seed, keys):
        return uniforms(row_keys(tf.fill([len(keys)], seed), tf.constant(keys, tf.int64)), tf.range(20_000)[:, tf.newaxis]).numpy()

    numbers = block(3, [1, 2, 1])
    assert (numbers[:, 0] == numbers[:, 2]).all()
    for other in (numbers[:, 1], block(4, [1])[:, 0], np.roll(numbers[:, 0], 1)):
        assert abs(np.corrcoef(numbers[:, 0], other)[0, 1]) < 0.03
    for row in (numbers[:, 0], numbers[:, 1]):
        assert stats.kstest(row, "uniform").pvalue > 1e-3
