import functools

import numpy as np
import pytest
import tensorflow as tf

from decoding_models import logits_of_many_words, option_vectors, random_draws
from lstm_lm.generation import sampling
from lstm_lm.generation.logits import BLOCKED
from lstm_lm.generation.option_tensors import MIN_TEMPERATURE, OptionTensors, specs, tensors
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.generation.sampling import Draws, Filters, Sampler
from plain import distribution

LOGITS = np.log([0.4, 0.3, 0.2, 0.06, 0.04]).astype(np.float32)


@functools.cache
def sampling_graph(words):
    """Trace the graph for a vocabulary of this size once, for any number of rows, as in the model."""
    row = tf.TensorSpec([None], tf.float32)

    def sample(logits, first, keys, positions, options):
        return Sampler(OptionTensors(**options), words)(logits, Draws(first, keys, positions))

    signature = [tf.TensorSpec([None, words]), row, tf.TensorSpec([None], tf.uint64), tf.TensorSpec([None], tf.int32), specs()]
    return tf.function(sample, autograph=False, input_signature=signature)


def sample_in_graph(logits, draws, options):
    return sampling_graph(logits.shape[1])(logits, draws.first, draws.keys, draws.positions, options)


def sample(logits, uniform, **options):
    """Sample as the decoding loop does. `uniform` has the first random number of each row."""
    options = GenerationOptions(**{"temperature": 1.0, **options})
    rows = np.broadcast_to(logits, [len(uniform), len(logits)]) / max(options.temperature, MIN_TEMPERATURE)
    return sample_in_graph(tf.constant(rows, tf.float32), random_draws(len(uniform), uniform, 3), tensors(options, len(uniform))).numpy()


def test_temperature_0_is_greedy():
    assert sample(LOGITS, [0.0, 0.5, 0.999], temperature=0.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("temperature", [1e-45, 1e-38, 1e-6])
def test_a_tiny_temperature_is_greedy_and_does_not_overflow(temperature):
    assert sample(LOGITS[[1, 0, 2, 3, 4]] * 50, [0.0, 0.5, 0.999], temperature=temperature).tolist() == [1, 1, 1]


def test_a_uniform_number_selects_a_word_by_cumulative_probability():
    assert sample(LOGITS, [0.0, 0.39, 0.41, 0.69, 0.71, 0.89, 0.91, 0.97, 0.99999994]).tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 4]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 2},
        {"top_k": 99},
        {"top_k": 1},
        {"top_p": 0.69},
        {"top_p": 0.71},
        {"top_p": 0.95},
        {"top_k": 4, "top_p": 0.95},
        {"top_p": 1e-6},
        {"temperature": 0.7, "top_k": 3, "top_p": 0.8},
        {"min_p": 0.14},  # just below 0.06 / 0.4
        {"min_p": 0.16},
        {"temperature": 0.5, "min_p": 0.14},
        {"temperature": 3.0, "min_p": 0.49},  # min_p applies to the probabilities after the temperature
        {"min_p": 1.0},
        {"top_p": 0.95, "min_p": 0.3},
        {"top_p": 0.69, "min_p": 0.05},
        {"top_p": 0.92, "min_p": 0.12},  # top_p applies before min_p: it keeps four words, but after min_p it would keep three
        {"top_k": 4, "min_p": 0.4},
        {"temperature": 1.5, "top_k": 4, "top_p": 0.9, "min_p": 0.3},
        {"typical_p": 0.25},  # only the word of 0.3: of all, its surprisal is closest to the entropy
        {"typical_p": 0.5},
        {"typical_p": 0.75},
        {"typical_p": 0.97},
        {"temperature": 2.0, "typical_p": 0.6},
        {"top_k": 3, "typical_p": 0.5},
        {"top_p": 0.85, "min_p": 0.1, "typical_p": 0.7},
    ],
)
def test_samples_follow_the_distribution_of_the_plain_version(options):
    from scipy import stats

    logits = LOGITS[[3, 0, 4, 2, 1]]  # not sorted
    expected = distribution(logits, **options)
    samples = sample(logits, np.random.default_rng(5).uniform(size=40_000).astype(np.float32), **options)
    counts = np.bincount(samples, minlength=5)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    if possible.sum() > 1:
        assert stats.chisquare(counts[possible], expected[possible] * counts.sum()).pvalue > 1e-3
    else:
        assert counts.max() == 40_000


def test_a_blocked_word_is_never_sampled_whatever_the_uniform_number():
    logits = np.array([BLOCKED, 0, 0, BLOCKED, BLOCKED], np.float32)
    uniform = np.array([0, 1e-8, 0.5, 0.99999994], np.float32)
    for options in (
        {},
        {"top_k": 3},
        {"top_p": 0.9},
        {"top_p": 0.9, "min_p": 0.1},
        {"top_k": 3, "top_p": 0.9, "min_p": 0.1},
        {"min_p": 0.1},
        {"typical_p": 0.9},
    ):
        assert set(sample(logits, uniform, **options)) == {1, 2}


def test_a_dominant_word_is_sampled_whatever_the_uniform_number():
    logits = np.array([0, 0, 90, 0, 0], np.float32)
    assert set(sample(logits, np.array([0, 0.5, 0.99999994], np.float32))) == {2}


@pytest.mark.parametrize(("top_p", "min_p"), [(1.0, 0.0), (0.7, 0.0), (0.9, 0.02)])
def test_extreme_logits_do_not_change_samples_or_affect_other_rows(top_p, min_p):
    rng = np.random.default_rng(6)
    logits, draws = rng.normal(0, 2, [5, 300]).astype(np.float32), random_draws(5)
    logits = (logits * 128).round() / 128  # adding a whole number to these logits is exact
    logits[:, 0] = BLOCKED
    options = tensors(GenerationOptions(temperature=1.0, top_p=top_p, min_p=min_p), 5)
    moderate = sample_in_graph(tf.constant(logits), draws, options).numpy()
    extreme = logits + np.array([[0], [300], [-300], [60], [5000]], np.float32)  # the exponentials of these logits are 0 or infinite
    extreme[:, 0] = BLOCKED
    assert sample_in_graph(tf.constant(extreme), draws, options).numpy().tolist() == moderate.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"top_p": 0.9},
        {"top_p": 0.5},
        {"top_p": 0.05},
        {"top_k": 40},
        {"top_k": 40, "top_p": 0.8},
        {"top_k": 300, "top_p": 0.9},
        {"min_p": 0.02},
        {"top_p": 0.5, "min_p": 0.01},
        {"top_k": 300, "top_p": 0.9, "min_p": 0.05},
        {"typical_p": 0.2},
        {"typical_p": 0.9},
        {"top_p": 0.9, "typical_p": 0.5},
    ],
)
def test_samples_of_a_large_vocabulary_follow_the_distribution_of_the_plain_version(options):
    from scipy import stats

    logits = logits_of_many_words() + np.random.default_rng(2).uniform(0, 0.001, 3000).astype(np.float32)  # no two logits are equal
    expected = distribution(logits, **options)
    samples = sample(logits, np.random.default_rng(5).uniform(size=8_000).astype(np.float32), **options)
    assert (expected[samples] > 0).all()
    # Group the words into ten classes of about equal probability.
    order = np.argsort(-expected)
    classes = np.empty(3000, int)
    classes[order] = np.minimum(np.cumsum(expected[order]) * 10, 9).astype(int)
    class_probabilities = np.bincount(classes, expected, minlength=10)
    counts = np.bincount(classes[samples], minlength=10)
    possible = class_probabilities > 1e-6
    probabilities = class_probabilities[possible] / class_probabilities.sum()
    assert stats.chisquare(counts[possible], probabilities * counts.sum()).pvalue > 1e-3


def test_when_all_random_numbers_are_used_up_top_p_falls_back_on_the_most_probable_word(monkeypatch):
    logits = np.zeros(50, np.float32)
    logits[7] = 1.0
    # A number of 0 selects the first remaining word, each time.
    monkeypatch.setattr(sampling, "uniforms", lambda keys, positions, draw: tf.zeros([tf.shape(keys)[0]]))
    options = OptionTensors(**tensors(GenerationOptions(temperature=1.0, top_p=0.01), 1))
    assert Sampler(options, 50)(tf.constant(logits[np.newaxis]), random_draws(1, [0.0])).numpy().tolist() == [7]


MIXED = [
    {},
    {"temperature": 0.0},
    {"top_k": 4},
    {"top_k": 40, "top_p": 0.8, "min_p": 0.01},
    {"top_p": 0.7},
    {"top_p": 0.9, "min_p": 0.05},
    {"min_p": 0.1},
    {"typical_p": 0.6},
    {"temperature": 2.0},
    {"temperature": 0.3, "top_k": 3000},
]


def test_each_row_is_sampled_with_its_own_options_as_if_it_were_alone():
    rows = [GenerationOptions(**{"temperature": 1.0, **values}) for values in MIXED for _ in range(5)]
    rng, count = np.random.default_rng(4), len(rows)
    scale = np.array([max(row.temperature, MIN_TEMPERATURE) for row in rows])[:, np.newaxis]
    logits = tf.constant(rng.normal(0, 2, [count, 3000]) / np.where(scale > MIN_TEMPERATURE, scale, 1), tf.float32)
    draws = random_draws(count)
    together = sample_in_graph(logits, draws, option_vectors(rows)).numpy()
    for i, row in enumerate(rows):
        alone = Draws(draws.first[i : i + 1], draws.keys[i : i + 1], draws.positions[i : i + 1])
        assert sample_in_graph(logits[i : i + 1], alone, option_vectors([row])).numpy() == together[i], row
    assert len(set(together.tolist())) > 20


@pytest.mark.parametrize(
    ("filters", "values"),
    [
        (Filters(False, True, False, False, False), {"top_k": 4}),
        (Filters(False, True, False, False, False), {"top_k": 40, "top_p": 0.8, "min_p": 0.01}),
        (Filters(False, False, True, False, False), {"top_p": 0.7}),
        (Filters(False, False, False, True, False), {"min_p": 0.1}),
        (Filters(False, False, False, False, False), {}),
    ],
)
def test_what_is_known_about_the_options_changes_no_word(filters, values):
    options = OptionTensors(**tensors(GenerationOptions(**{"temperature": 1.0, **values}), 64))
    logits, draws = tf.constant(np.random.default_rng(5).normal(0, 2, [64, 300]), tf.float32), random_draws(64)
    np.testing.assert_array_equal(Sampler(options, 300, filters)(logits, draws), Sampler(options, 300)(logits, draws))
