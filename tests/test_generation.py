import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from conftest import make_tiny_model
from lstm_lm import generation
from plain import PlainModel

LOGITS = np.log([0.4, 0.3, 0.2, 0.06, 0.04]).astype(np.float32)


@functools.cache
def traced_choose(words):
    """For any number of rows."""
    return tf.function(generation.choose, autograph=False, reduce_retracing=True)


def choose(logits, uniform, temperature=1.0, top_k=0, top_p=1.0):
    """As the loop does; `uniform` are the first numbers of each row, the others are random."""
    rows = np.broadcast_to(logits, [len(uniform), len(logits)]) / max(temperature, generation.LEAST_TEMPERATURE)
    more = np.random.default_rng(3).uniform(size=[len(uniform), generation.TRIES])
    more[:, 0] = uniform
    numbers = tf.constant(rows, tf.float32), tf.constant(more, tf.float32)
    settings = tf.constant(temperature == 0), tf.constant(top_k), tf.constant(top_p, tf.float32)
    return traced_choose(len(logits))(*numbers, *settings).numpy()


def plain_distribution(logits, temperature, top_k, top_p):
    """What `choose` must draw from, by sorting in NumPy."""
    order = np.argsort(-logits, kind="stable")
    p = np.exp((logits[order] - logits.max()) / temperature, dtype=np.float64)
    if top_k:
        p[top_k:] = 0
    p /= p.sum()
    before = np.cumsum(p) - p
    if top_p < 1:
        p[before >= top_p - 1e-7] = 0
    p /= p.sum()
    result = np.zeros(len(logits))
    result[order] = p
    return result


def test_temperature_0_is_greedy():
    assert choose(LOGITS, [0.0, 0.5, 0.999], temperature=0.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("temperature", [1e-45, 1e-38, 1e-6])
def test_a_tiny_temperature_is_greedy_and_does_not_overflow(temperature):
    assert choose(LOGITS[[1, 0, 2, 3, 4]] * 50, [0.0, 0.5, 0.999], temperature=temperature).tolist() == [1, 1, 1]


def test_the_uniform_number_picks_by_cumulative_probability():
    assert choose(LOGITS, [0.0, 0.39, 0.41, 0.69, 0.71, 0.89, 0.91, 0.97, 0.99999994]).tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 4]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [
        (1.0, 0, 1.0),
        (0.5, 0, 1.0),
        (2.0, 0, 1.0),
        (1.0, 2, 1.0),
        (1.0, 99, 1.0),
        (1.0, 1, 1.0),
        (1.0, 0, 0.69),
        (1.0, 0, 0.71),
        (1.0, 0, 0.95),
        (1.0, 4, 0.95),
        (1.0, 0, 1e-6),
        (0.7, 3, 0.8),
    ],
)
def test_what_is_drawn_is_distributed_as_the_plain_twin_says(temperature, top_k, top_p):
    logits = LOGITS[[3, 0, 4, 2, 1]]  # not in order
    expected = plain_distribution(logits, temperature, top_k, top_p)
    draws = choose(logits, np.random.default_rng(5).uniform(size=40_000).astype(np.float32), temperature, top_k, top_p)
    counts = np.bincount(draws, minlength=5)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert (
        stats.chisquare(counts[possible], expected[possible] * counts.sum()).pvalue > 1e-3 if possible.sum() > 1 else counts.max() == 40_000
    )


def test_a_forbidden_word_is_never_drawn_at_any_end():
    logits = np.array([generation.NEVER, 0, 0, generation.NEVER], np.float32)
    uniform = np.array([0, 1e-8, 0.5, 0.99999994], np.float32)
    for top_k, top_p in ((0, 1.0), (3, 1.0), (0, 0.9)):
        assert set(choose(logits, uniform, 1.0, top_k, top_p)) == {1, 2}


def test_one_dominant_word_is_drawn_whatever_the_noise():
    logits = np.array([0, 0, 90, 0], np.float32)
    assert set(choose(logits, np.array([0, 0.5, 0.99999994], np.float32))) == {2}


def many(words=3000, seed=0):
    """Logits of so many words that the ways of large vocabularies are taken; some are equally probable."""
    return np.random.default_rng(seed).normal(0, 2, words).round(2).astype(np.float32)


@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_logits_of_any_size_are_drawn_from_and_leave_other_rows_alone(top_p):
    numbers = np.random.default_rng(6)
    logits, noise = numbers.normal(0, 2, [5, 300]).astype(np.float32), numbers.uniform(size=[5, generation.TRIES]).astype(np.float32)
    logits = (logits * 128).round() / 128  # so that adding a whole number rounds nothing off
    logits[:, 0] = generation.NEVER
    settings = tf.constant(False), tf.constant(0), tf.constant(top_p)
    fit = generation.choose(tf.constant(logits), tf.constant(noise), *settings).numpy()
    far = logits + np.array([[0], [300], [-300], [60], [5000]], np.float32)  # whose exponentials are 0, or infinite
    far[:, 0] = generation.NEVER
    assert generation.choose(tf.constant(far), tf.constant(noise), *settings).numpy().tolist() == fit.tolist()


@pytest.mark.parametrize("words", [5, 16, 97, 3000, 3001])
def test_a_draw_in_blocks_is_that_of_one_cumulative_sum(words):
    weights = np.exp(many(words).astype(np.float64))
    weights[:: 3 if words > 5 else 6] = 0
    uniform = np.concatenate([[0.0, 0.99999994], np.random.default_rng(1).uniform(size=500)]).astype(np.float32)
    rows = tf.constant(np.broadcast_to(weights, [len(uniform), words]), tf.float32)
    drawn = generation.draw(rows, tf.constant(uniform)).numpy()
    cumulative = np.cumsum(weights) / weights.sum()
    assert (weights[drawn] > 0).all()
    # Within rounding of float32 the number lies in the word's own part of the sum.
    assert (uniform <= cumulative[drawn] + 1e-5).all()
    assert (uniform >= cumulative[drawn] - weights[drawn] / weights.sum() - 1e-5).all()


@pytest.mark.parametrize("k", [1, 2, 40, 93, 94, 1499, 3000])
def test_the_most_probable_are_those_of_a_full_sort(k):
    logits = np.stack([many(seed=seed) for seed in range(4)])
    values, words = generation.most_probable(tf.constant(logits), tf.constant(k))
    np.testing.assert_array_equal(values, -np.sort(-logits, axis=1)[:, :k])
    np.testing.assert_array_equal(np.take_along_axis(logits, words.numpy(), axis=1), values)
    assert all(len(set(row)) == k for row in words.numpy())


@pytest.mark.parametrize(("top_k", "top_p"), [(0, 0.9), (0, 0.5), (0, 0.05), (40, 1.0), (40, 0.8), (300, 0.9)])
def test_a_large_vocabulary_is_drawn_from_as_the_plain_twin_says(top_k, top_p):
    logits = many() + np.random.default_rng(2).uniform(0, 0.001, 3000).astype(np.float32)  # no two alike
    expected = plain_distribution(logits, 1.0, top_k, top_p)
    draws = choose(logits, np.random.default_rng(5).uniform(size=8_000).astype(np.float32), 1.0, top_k, top_p)
    assert (expected[draws] > 0).all()
    # In ten classes of about equal expectation.
    order = np.argsort(-expected)
    classes = np.empty(3000, int)
    classes[order] = np.minimum(np.cumsum(expected[order]) * 10, 9).astype(int)
    of_class = np.bincount(classes, expected, minlength=10)
    counts = np.bincount(classes[draws], minlength=10)
    possible = of_class > 1e-6
    assert stats.chisquare(counts[possible], of_class[possible] / of_class.sum() * counts.sum()).pvalue > 1e-3


def test_with_no_number_left_top_p_falls_back_on_the_most_probable_word():
    logits = np.zeros(50, np.float32)
    logits[7] = 1.0
    uniform = tf.zeros([1, generation.TRIES])  # always the first word of those that are left
    arguments = tf.constant(logits[np.newaxis]), uniform, tf.constant(False), tf.constant(0), tf.constant(0.01)
    assert generation.choose(*arguments).numpy().tolist() == [7]


@pytest.fixture(scope="module")
def tiny_model():
    """As everywhere, but the models of one shape are the same one, which is traced once."""
    return functools.cache(make_tiny_model)


@functools.cache
def traced(model):
    """(prime, write) for any number of rows and words: tracing takes longer than the texts."""
    graph = functools.partial(tf.function, autograph=False)
    row = tf.TensorSpec([None], tf.int32)
    state = tf.TensorSpec([model.shape.layers, 2, None, model.shape.hidden_size], tf.float32)
    noise = tf.TensorSpec([None, None, generation.TRIES], tf.float32)
    settings = tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)
    return (
        graph(functools.partial(generation.prime, model), input_signature=[tf.TensorSpec([None, None], tf.int32), row]),
        graph(functools.partial(generation.write, model), input_signature=[row, state, noise, *settings]),
    )


def generate(model, prompts, max_words, temperature=0.0, top_k=0, top_p=1.0, seed=1, keys=None, pieces=None):
    """pieces: words to write at a time, one after the other, in place of all at once."""
    lengths = [len(prompt) for prompt in prompts]
    padded = np.zeros([len(prompts), max(lengths)], np.int32)
    for row, prompt in enumerate(prompts):
        padded[row, : len(prompt)] = prompt
    keys = tf.constant(keys or list(range(len(prompts))), tf.int32)
    settings = tf.constant(temperature), tf.constant(top_k), tf.constant(top_p)
    prime, write = traced(model)
    last, state = prime(tf.constant(padded), tf.constant(lengths))
    written, start = [], 0
    for count in pieces or [max_words]:
        numbers = generation.noise(keys, tf.constant(seed), tf.constant(start), tf.constant(count))
        words, last, state = write(last, state, numbers, *settings)
        written.append(words.numpy())
        start += count
    return np.concatenate(written, axis=1)


PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9], [0, 1]]


def test_greedy_text_is_the_plain_models(tiny_model):
    model = tiny_model(scale=2.0)
    plain = PlainModel.of(model)
    for prompt, row in zip(PROMPTS, generate(model, PROMPTS, 12), strict=True):
        state, words = plain.initial_state(1), []
        for word in prompt:
            logits, state = plain.step(np.array([word]), state)
        for _ in range(12):
            words.append(int(logits[0, 1:].argmax()) + 1)  # never <unk>
            logits, state = plain.step(np.array(words[-1:]), state)
        assert row.tolist() == words


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0}, {"temperature": 0.8, "top_k": 4}, {"temperature": 1.2, "top_p": 0.8}])
def test_each_row_equals_its_own_call(tiny_model, settings):
    model = tiny_model()
    together = generate(model, PROMPTS, 15, **settings)
    for i, prompt in enumerate(PROMPTS):
        assert together[i].tolist() == generate(model, [prompt], 15, keys=[i], **settings)[0].tolist()


def test_the_seed_fixes_the_text_and_more_words_continue_it(tiny_model):
    model = tiny_model()
    long = generate(model, PROMPTS, 40, 1.0)
    assert (generate(model, PROMPTS, 40, 1.0) == long).all()
    assert (generate(model, PROMPTS, 40, 1.0, seed=2) != long).any()
    assert (generate(model, PROMPTS, 9, 1.0) == long[:, :9]).all()
    assert (generate(model, PROMPTS, 1, 1.0) == long[:, :1]).all()
    assert generate(model, PROMPTS, 0, 1.0).shape == (4, 0)


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0}, {"temperature": 1.3, "top_k": 5}, {"temperature": 1.0, "top_p": 0.7}])
def test_a_text_in_pieces_is_the_text_at_once(tiny_model, settings):
    model = tiny_model(layers=2)
    whole = generate(model, PROMPTS, 20, **settings)
    assert generate(model, PROMPTS, 20, pieces=[1, 7, 0, 12], **settings).tolist() == whole.tolist()


def test_many_rows_are_written_as_few_are(tiny_model):
    model = tiny_model()
    prompts = [[i % 11 + 1] for i in range(generation.ROWS + 3)]
    together = generate(model, prompts, 15, temperature=1.0)
    few = [generate(model, prompts[i : i + 2], 15, temperature=1.0, keys=[i, i + 1]) for i in range(0, generation.ROWS, 2)]
    assert together[: generation.ROWS].tolist() == np.concatenate(few).tolist()


def test_unknown_is_never_written_even_if_it_is_the_likeliest(tiny_model):
    model = tiny_model()
    before = model.softmax_bias.numpy()
    model.softmax_bias.assign([50.0] + [0.0] * 11)
    try:
        for temperature in (0.0, 1.0, 5.0):
            assert (generate(model, PROMPTS, 30, temperature) > 0).all()
    finally:
        model.softmax_bias.assign(before)


def test_noise_is_uniform_and_differs_by_key_and_seed_and_goes_on():
    keys = tf.constant([1, 2, 1])
    numbers = generation.noise(keys, tf.constant(3), tf.constant(0), tf.constant(2_000)).numpy()
    assert numbers.shape == (3, 2_000, generation.TRIES)
    assert (numbers[0] == numbers[2]).all()
    assert abs(np.corrcoef(numbers[0].ravel(), numbers[1].ravel())[0, 1]) < 0.03
    assert stats.kstest(numbers[0].ravel(), "uniform").pvalue > 1e-3
    assert (numbers != generation.noise(keys, tf.constant(4), tf.constant(0), tf.constant(2_000)).numpy()).any()
    assert (numbers[:, 90:100] == generation.noise(keys, tf.constant(3), tf.constant(90), tf.constant(10)).numpy()).all()
