import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.generation import row_padding
from lstm_lm.generation.row_padding import PERIOD, RowPadding, row_counts


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        (range(1, PERIOD + 1), {1: 1, 7: 7, 24: 24}),
        ([n for n in range(1, PERIOD + 1) if n % 6 in (0, 4, 5)], {1: 4, 3: 4, 5: 5, 6: 6, 7: 10, 13: 16, 24: 24}),
        ([16], {1: 16, 16: 16, 17: 17, 24: 24}),
        ([], {1: 1, 24: 24}),
    ],
)
def test_the_least_number_of_rows_that_is_right_is_computed(monkeypatch, right, expected):
    trials_that_find(monkeypatch, right, range(1, PERIOD + 1))
    counts = row_counts([tf.zeros([3, 4])], 5).numpy()
    assert counts.shape == (PERIOD + 1,)
    assert counts[0] == 0
    assert {rows: counts[rows] for rows in expected} == expected


def trials_that_find(monkeypatch, *found):
    """Replace the trials, in order, by ones that find these numbers of rows right."""
    trials = iter(found)

    def trial(*_):
        right = tf.constant(list(next(trials)), tf.int32)
        return lambda number: tf.reduce_any(right == number)

    monkeypatch.setattr(row_padding, "_trial", trial)


@pytest.mark.parametrize("right", [[4, 6, 24], [16], [24], []])
def test_a_single_count_is_that_of_all(monkeypatch, right):
    trials_that_find(monkeypatch, *[right] * 2 * 60)
    every = row_counts([tf.zeros([3, 4])], 5).numpy()
    for rows in [*range(PERIOD + 1), PERIOD + 3, 2 * PERIOD]:
        single = row_counts([tf.zeros([3, 4])], 5, tf.constant(rows)).numpy()
        assert single[rows % PERIOD] == every[rows % PERIOD]


def test_all_products_must_be_right(monkeypatch):
    trials_that_find(monkeypatch, [2, 4], [4], [2, 4, 6])
    assert row_counts([tf.zeros([3, 4]), tf.zeros([3, 9])], 5).numpy()[1:4].tolist() == [4, 4, 4]


def test_a_trial_finds_functions_that_depend_on_the_number_of_rows():
    def function(rows):
        count = tf.shape(rows)[0]
        last = tf.cast((tf.range(count) == count - 1) & (count % 4 == 1), tf.float32)
        return rows * (1 + 1e-6 * last[:, tf.newaxis])

    is_right = row_padding._trial(function, 5)
    assert [n for n in range(1, PERIOD + 1) if not is_right(tf.constant(n))] == [1, 5, 9, 13, 17, 21]


@pytest.mark.parametrize(("rows", "added"), [(0, 0), (1, 3), (4, 0), (24, 0), (25, 3), (49, 3)])
def test_rows_are_added_and_dropped(rows, added):
    counts = tf.constant([0, 4, 4, 4, *range(4, PERIOD + 1)])
    padding = RowPadding(tf.constant(rows), counts)
    numbers = tf.reshape(tf.range(2 * rows), [rows, 2])
    padded = padding.pad(numbers)
    assert padded.numpy().tolist() == [*numbers.numpy().tolist(), *[[0, 0]] * added]
    assert padding.strip(padded).numpy().tolist() == numbers.numpy().tolist()
    assert padding.pad(tf.ones([rows], tf.bool)).numpy().tolist() == [True] * rows + [False] * added


@pytest.mark.parametrize("hidden_size", [16, 75])
def test_rows_that_are_padded_have_the_same_bits_alone_and_among_others(hidden_size):
    rng = np.random.default_rng(1)
    weights = tf.constant(rng.normal(size=[hidden_size, 200]).astype(np.float32))
    rows = rng.normal(size=[50, hidden_size]).astype(np.float32)
    counts = row_counts([weights], hidden_size)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, hidden_size])])
    def step(numbers):
        padding = RowPadding(tf.shape(numbers)[0], counts)
        return padding.strip(tf.matmul(tf.tanh(padding.pad(numbers)), weights))

    alone = np.concatenate([step(tf.constant(rows[i : i + 1])) for i in range(len(rows))])
    for count in range(1, len(rows) + 1):
        np.testing.assert_array_equal(step(tf.constant(rows[:count])), alone[:count])
