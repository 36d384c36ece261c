from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.generation import draw, option_tensors, sampling
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.sampling import Draws, Sampler
from row_trial import BATCHES, DEFAULT, KINDS, Trial

ROWS = 40  # more than any CPU's vectors hold
COLUMNS = 336
RANDOM = np.random.default_rng(1)
LOGITS = RANDOM.normal(size=[ROWS, COLUMNS]).astype(np.float32) * 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words", "ngrams"),
    [({}, 40, 0), ({"members": 2}, 15, 0), ({"mogrifier_rounds": 4, "mogrifier_rank": 40}, 15, 0), ({}, 15, 4)],
)
def test_a_row_has_the_same_text_alone_and_in_batches_of_any_size(changes, words, ngrams):
    """At the default's real size, because small products are computed in another way. row_trial.py itself does more of it."""
    trial = Trial(3 * len(KINDS), words, replace(DEFAULT, **changes), ngrams)
    assert len(np.unique(trial.alone[:, : trial.words])) > 5 * words
    assert {batch: trial.differing(batch) for batch in (2, 5, 21)} == {2: 0, 5: 0, 21: 0}
    assert max(BATCHES) == 64


def check_that_rows_have_the_same_bits_alone(function, *columns):
    """Check a function of float32 tensors with one row for each text."""
    specs = [tf.TensorSpec([None, *column.shape[1:]], tf.float32) for column in columns]
    graph = tf.function(function, autograph=False, input_signature=specs)
    alone = np.concatenate([graph(*(column[row : row + 1] for column in columns)) for row in range(ROWS)])
    assert len(np.unique(alone)) > 1
    for count in range(2, ROWS + 1):
        np.testing.assert_array_equal(graph(*(column[:count] for column in columns)), alone[:count])


def test_the_sharpness_of_a_row_does_not_depend_on_the_others():
    temperatures = np.concatenate([[1.0, 0.8, 0.0, 1e-9], RANDOM.uniform(0.1, 3, ROWS - 4)]).astype(np.float32)
    check_that_rows_have_the_same_bits_alone(lambda values: OptionTensors(temperature=values).sharpness, temperatures)
    assert OptionTensors(temperature=tf.constant(temperatures)).sharpness[0] == 1.0


def test_the_log_softmax_of_a_row_does_not_depend_on_the_others():
    check_that_rows_have_the_same_bits_alone(draw.log_softmax, LOGITS)
    np.testing.assert_allclose(draw.log_softmax(LOGITS), tf.nn.log_softmax(LOGITS), rtol=1e-5)


@pytest.mark.parametrize("options", [kind for kind in KINDS if kind.get("temperature") != 0.0])
def test_what_a_row_is_drawn_from_does_not_depend_on_the_others(monkeypatch, options):
    """Words alone say little: another last bit changes a word only once in about a million."""
    defaults = {row.name: row.default for row in option_tensors.options.options()}
    weights = []

    def inverse_cdf(numbers, uniform):
        weights.append(numbers)
        return original(numbers, uniform)

    original = draw.inverse_cdf
    for module in (draw, sampling):
        monkeypatch.setattr(module, "inverse_cdf", inverse_cdf)

    def first_weights(logits, uniform):
        weights.clear()
        rows = tf.shape(logits)[0]
        values = {name: tf.fill([rows], value) for name, value in {**defaults, **options}.items()}
        Sampler(OptionTensors(**values), COLUMNS)(logits, Draws(uniform, tf.zeros([rows], tf.uint64), tf.zeros([rows], tf.int32)))
        return np.concatenate([numbers.numpy() for numbers in weights[:2]], axis=1)  # of blocks of words, and of words

    uniforms = RANDOM.uniform(size=ROWS).astype(np.float32)
    alone = [first_weights(tf.constant(LOGITS[row : row + 1]), tf.constant(uniforms[row : row + 1])) for row in range(ROWS)]
    assert (weights == []) == (options.get("temperature") == 0)
    for count in (2, 7, 8, 15, 16, 17, 31, 32, ROWS):
        np.testing.assert_array_equal(
            first_weights(tf.constant(LOGITS[:count]), tf.constant(uniforms[:count])), np.concatenate(alone[:count])
        )
