import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from lstm_lm import generation
from plain import PlainModel

LOGITS = np.log([0.4, 0.3, 0.2, 0.06, 0.04]).astype(np.float32)


def choose(logits, uniform, temperature=1.0, top_k=0, top_p=1.0):
    rows = tf.constant(np.broadcast_to(logits, [len(uniform), len(logits)]))
    return generation.choose(
        rows, tf.constant(uniform, tf.float32), tf.constant(temperature), tf.constant(top_k), tf.constant(top_p, tf.float32)
    ).numpy()


def plain_distribution(logits, temperature, top_k, top_p):
    """What `choose` must draw from, by sorting in NumPy."""
    order = np.argsort(-logits, kind="stable")
    p = np.exp((logits[order] - logits.max()) / temperature, dtype=np.float64)
    if top_k:
        p[top_k:] = 0
    p /= p.sum()
    before = np.cumsum(p) - p
    if top_p < 1:
        p[before >= top_p] = 0
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
        (1.0, 0, 0.7),
        (1.0, 0, 0.71),
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


def generate(model, prompts, max_words, temperature=0.0, top_k=0, top_p=1.0, seed=1, keys=None):
    lengths = [len(prompt) for prompt in prompts]
    padded = np.zeros([len(prompts), max(lengths)], np.int32)
    for row, prompt in enumerate(prompts):
        padded[row, : len(prompt)] = prompt
    keys = tf.constant(keys or list(range(len(prompts))), tf.int32)
    noise = generation.noise(keys, tf.constant(seed), tf.constant(max_words))
    scalars = tf.constant(max_words), tf.constant(temperature), tf.constant(top_k), tf.constant(top_p)
    return tf.function(generation.generate)(model, tf.constant(padded), tf.constant(lengths), noise, *scalars).numpy()


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


def test_unknown_is_never_written_even_if_it_is_the_likeliest(tiny_model):
    model = tiny_model()
    model.softmax_bias.assign([50.0] + [0.0] * 11)
    for temperature in (0.0, 1.0, 5.0):
        assert (generate(model, PROMPTS, 30, temperature) > 0).all()


def test_noise_is_uniform_and_differs_by_key_and_seed():
    keys = tf.constant([1, 2, 1])
    numbers = generation.noise(keys, tf.constant(3), tf.constant(20_000)).numpy()
    assert (numbers[0] == numbers[2]).all()
    assert abs(np.corrcoef(numbers[0], numbers[1])[0, 1]) < 0.03
    assert stats.kstest(numbers[0], "uniform").pvalue > 1e-3
    assert (numbers != generation.noise(keys, tf.constant(4), tf.constant(20_000)).numpy()).any()
