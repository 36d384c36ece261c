import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import plain
from lstm_lm.generation import decoding
from lstm_lm.generation.decoding import Settings
from lstm_lm.model.language_model import Initializer, LanguageModel
from lstm_lm.model.shape import Shape
from plain import PlainModel, distribution

LOGITS = np.log([0.4, 0.3, 0.2, 0.06, 0.04]).astype(np.float32)


ENDS = [4, 9]
CHOOSE = tf.function(decoding.choose, autograph=False)  # traced once for each shape


def choose(logits, uniform, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    """As the loop does; `uniform` are the first numbers of each row, the others are random."""
    rows = np.broadcast_to(logits, [len(uniform), len(logits)]) / max(temperature, decoding.LEAST_TEMPERATURE)
    more = np.random.default_rng(3).uniform(size=[len(uniform), decoding.TRIES])
    more[:, 0] = uniform
    numbers = tf.constant(rows, tf.float32), tf.constant(more, tf.float32)
    limits = tf.constant(top_k), tf.constant(top_p, tf.float32), tf.constant(min_p, tf.float32)
    return CHOOSE(*numbers, tf.constant(temperature == 0), *limits).numpy()


def test_temperature_0_is_greedy():
    assert choose(LOGITS, [0.0, 0.5, 0.999], temperature=0.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("temperature", [1e-45, 1e-38, 1e-6])
def test_a_tiny_temperature_is_greedy_and_does_not_overflow(temperature):
    assert choose(LOGITS[[1, 0, 2, 3, 4]] * 50, [0.0, 0.5, 0.999], temperature=temperature).tolist() == [1, 1, 1]


def test_the_uniform_number_picks_by_cumulative_probability():
    assert choose(LOGITS, [0.0, 0.39, 0.41, 0.69, 0.71, 0.89, 0.91, 0.97, 0.99999994]).tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 4]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p", "min_p"),
    [
        (1.0, 0, 1.0, 0.0),
        (0.5, 0, 1.0, 0.0),
        (2.0, 0, 1.0, 0.0),
        (1.0, 2, 1.0, 0.0),
        (1.0, 99, 1.0, 0.0),
        (1.0, 1, 1.0, 0.0),
        (1.0, 0, 0.69, 0.0),
        (1.0, 0, 0.71, 0.0),
        (1.0, 0, 0.95, 0.0),
        (1.0, 4, 0.95, 0.0),
        (1.0, 0, 1e-6, 0.0),
        (0.7, 3, 0.8, 0.0),
        (1.0, 0, 1.0, 0.14),  # just below 0.06 / 0.4
        (1.0, 0, 1.0, 0.16),
        (0.5, 0, 1.0, 0.14),
        (3.0, 0, 1.0, 0.49),  # of what the temperature made
        (1.0, 0, 1.0, 1.0),
        (1.0, 0, 0.95, 0.3),
        (1.0, 0, 0.69, 0.05),
        (1.0, 0, 0.92, 0.12),  # top_p leaves four words of all, and would leave three of the four that min_p does
        (1.0, 4, 1.0, 0.4),
        (1.5, 4, 0.9, 0.3),
    ],
)
def test_what_is_drawn_is_distributed_as_the_plain_twin_says(temperature, top_k, top_p, min_p):
    logits = LOGITS[[3, 0, 4, 2, 1]]  # not in order
    expected = distribution(logits, temperature, top_k, top_p, min_p)
    draws = choose(logits, np.random.default_rng(5).uniform(size=40_000).astype(np.float32), temperature, top_k, top_p, min_p)
    counts = np.bincount(draws, minlength=5)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert (
        stats.chisquare(counts[possible], expected[possible] * counts.sum()).pvalue > 1e-3 if possible.sum() > 1 else counts.max() == 40_000
    )


def test_a_forbidden_word_is_never_drawn_at_any_end():
    logits = np.array([decoding.NEVER, 0, 0, decoding.NEVER], np.float32)
    uniform = np.array([0, 1e-8, 0.5, 0.99999994], np.float32)
    for limits in ((0, 1.0), (3, 1.0), (0, 0.9), (0, 1.0, 0.1), (3, 0.9, 0.1)):
        assert set(choose(logits, uniform, 1.0, *limits)) == {1, 2}


def test_one_dominant_word_is_drawn_whatever_the_noise():
    logits = np.array([0, 0, 90, 0], np.float32)
    assert set(choose(logits, np.array([0, 0.5, 0.99999994], np.float32))) == {2}


def many(words=3000, seed=0):
    """Logits of so many words that the ways of large vocabularies are taken; some are equally probable."""
    return np.random.default_rng(seed).normal(0, 2, words).round(2).astype(np.float32)


@pytest.mark.parametrize(("top_p", "min_p"), [(1.0, 0.0), (0.7, 0.0), (0.9, 0.02)])
def test_logits_of_any_size_are_drawn_from_and_leave_other_rows_alone(top_p, min_p):
    numbers = np.random.default_rng(6)
    logits, noise = numbers.normal(0, 2, [5, 300]).astype(np.float32), numbers.uniform(size=[5, decoding.TRIES]).astype(np.float32)
    logits = (logits * 128).round() / 128  # so that adding a whole number rounds nothing off
    logits[:, 0] = decoding.NEVER
    settings = tf.constant(False), tf.constant(0), tf.constant(top_p), tf.constant(min_p)
    fit = decoding.choose(tf.constant(logits), tf.constant(noise), *settings).numpy()
    far = logits + np.array([[0], [300], [-300], [60], [5000]], np.float32)  # whose exponentials are 0, or infinite
    far[:, 0] = decoding.NEVER
    assert decoding.choose(tf.constant(far), tf.constant(noise), *settings).numpy().tolist() == fit.tolist()


@pytest.mark.parametrize("words", [5, 16, 97, 3000, 3001])
def test_a_draw_in_blocks_is_that_of_one_cumulative_sum(words):
    weights = np.exp(many(words).astype(np.float64))
    weights[:: 3 if words > 5 else 6] = 0
    uniform = np.concatenate([[0.0, 0.99999994], np.random.default_rng(1).uniform(size=500)]).astype(np.float32)
    rows = tf.constant(np.broadcast_to(weights, [len(uniform), words]), tf.float32)
    drawn = decoding.draw(rows, tf.constant(uniform)).numpy()
    cumulative = np.cumsum(weights) / weights.sum()
    assert (weights[drawn] > 0).all()
    # Within rounding of float32 the number lies in the word's own part of the sum.
    assert (uniform <= cumulative[drawn] + 1e-5).all()
    assert (uniform >= cumulative[drawn] - weights[drawn] / weights.sum() - 1e-5).all()


@pytest.mark.parametrize("k", [1, 2, 40, 93, 94, 1499, 3000])
def test_the_most_probable_are_those_of_a_full_sort(k):
    logits = np.stack([many(seed=seed) for seed in range(4)])
    values, words = decoding.most_probable(tf.constant(logits), tf.constant(k))
    np.testing.assert_array_equal(values, -np.sort(-logits, axis=1)[:, :k])
    np.testing.assert_array_equal(np.take_along_axis(logits, words.numpy(), axis=1), values)
    assert all(len(set(row)) == k for row in words.numpy())


@pytest.mark.parametrize(
    ("top_k", "top_p", "min_p"),
    [
        (0, 0.9, 0.0),
        (0, 0.5, 0.0),
        (0, 0.05, 0.0),
        (40, 1.0, 0.0),
        (40, 0.8, 0.0),
        (300, 0.9, 0.0),
        (0, 1.0, 0.02),
        (0, 0.5, 0.01),
        (300, 0.9, 0.05),
    ],
)
def test_a_large_vocabulary_is_drawn_from_as_the_plain_twin_says(top_k, top_p, min_p):
    logits = many() + np.random.default_rng(2).uniform(0, 0.001, 3000).astype(np.float32)  # no two alike
    expected = distribution(logits, 1.0, top_k, top_p, min_p)
    draws = choose(logits, np.random.default_rng(5).uniform(size=8_000).astype(np.float32), 1.0, top_k, top_p, min_p)
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
    uniform = tf.zeros([1, decoding.TRIES])  # always the first word of those that are left
    arguments = tf.constant(logits[np.newaxis]), uniform, tf.constant(False), tf.constant(0), tf.constant(0.01), tf.constant(0.0)
    assert decoding.choose(*arguments).numpy().tolist() == [7]


TEXTS = [[3, 1, 2, 3, 1], [5], [0, 2, 2, 0], [1, 2, 1, 2, 1, 2, 1], [7, 8, 9, 7, 8, 0, 7, 8]]


def padded(texts):
    """As `generation.text_of` makes them."""
    longest = max(map(len, texts))
    return tf.constant([[decoding.NO_WORD] * (longest - len(text)) + text for text in texts])


def at_the_left(texts):
    """As `generation.prime` takes them: (ids, lengths)."""
    lengths = [len(text) for text in texts]
    return tf.constant([text + [0] * (max(lengths) - len(text)) for text in texts]), tf.constant(lengths)


def test_texts_lie_at_the_right():
    np.testing.assert_array_equal(decoding.text_of(*at_the_left(TEXTS)), padded(TEXTS))


@pytest.mark.parametrize("penalty", [1.3, 0.8, 5.0, 1.0])
def test_the_repetition_penalty_is_that_of_the_plain_twin(penalty):
    logits = np.random.default_rng(1).normal(0, 3, [len(TEXTS), 10]).astype(np.float32)
    found = decoding.discourage(tf.constant(logits), padded(TEXTS), tf.constant(penalty)).numpy()
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(found[row], plain.discourage(logits[row], text, penalty), rtol=1e-6)
        assert (found[row] != logits[row]).sum() == (len(set(text) - {0}) if penalty != 1 else 0)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9, 100])
def test_what_would_repeat_an_n_gram_is_what_the_plain_twin_finds(size):
    logits = np.random.default_rng(2).normal(0, 3, [len(TEXTS), 10]).astype(np.float32)
    logits[:, 0] = decoding.NEVER
    found = decoding.without_repeats(tf.constant(logits), padded(TEXTS), tf.constant(size)).numpy()
    for row, text in enumerate(TEXTS):
        expected = plain.without_repeats(logits[row], text, size)
        np.testing.assert_array_equal(found[row], np.where(np.isinf(expected), decoding.NEVER, expected).astype(np.float32))


def test_where_every_word_would_repeat_an_n_gram_all_but_unknown_are_allowed():
    logits = np.array([[decoding.NEVER, 1, 2, 3], [decoding.NEVER, 1, 2, 3]], np.float32)
    found = decoding.without_repeats(tf.constant(logits), tf.constant([[3, 1, 2], [3, 3, 1]]), tf.constant(1)).numpy()
    never = np.float32(decoding.NEVER)
    np.testing.assert_array_equal(found, [logits[0], [never, never, 2, never]])


@pytest.mark.parametrize(
    ("settings", "options"),
    [((1.0,), (1.4, 0)), ((1.0,), (1.0, 2)), ((1.5, 4, 0.9, 0.1), (1.4, 2))],
)
def test_what_is_drawn_after_a_text_is_distributed_as_the_plain_twin_says(settings, options):
    """Of the loop's own steps, in their order."""
    logits, text = np.array([9, 2.0, 1.2, 0.4, -0.3, -0.8, 0.1], np.float32), [2, 6, 4, 2]
    penalty, size = options
    expected = plain.without_repeats(plain.discourage(logits, text, penalty), text, size)
    expected = distribution(np.where(np.isinf(expected), decoding.NEVER, expected), *settings)
    rows = 40_000
    start = np.broadcast_to(logits / settings[0], [rows, 7]) + np.array([decoding.NEVER, 0, 0, 0, 0, 0, 0])
    scalars = Settings(None, None, None, None, tf.constant(penalty), tf.constant(size), None)
    allowed = decoding._allowed(tf.constant(start, tf.float32), tf.constant([text] * rows), scalars)
    uniform = np.random.default_rng(8).uniform(size=[rows, decoding.TRIES]).astype(np.float32)
    top_k, top_p, min_p = settings[1:] or (0, 1.0, 0.0)
    limits = tf.constant(top_k), tf.constant(top_p), tf.constant(min_p)
    draws = decoding.choose(allowed, tf.constant(uniform), tf.constant(False), *limits).numpy()
    counts = np.bincount(draws, minlength=7)
    possible = expected > 0
    assert possible.sum() > 2
    assert counts[~possible].sum() == 0
    assert stats.chisquare(counts[possible], expected[possible] * rows).pvalue > 1e-3


@functools.cache
def traced(model):
    """(prime, write) for any number of rows and words: tracing takes longer than the texts."""
    graph = functools.partial(tf.function, autograph=False)
    row = tf.TensorSpec([None], tf.int32)
    state = tf.TensorSpec([model.shape.layers, 2, None, model.shape.hidden_size], tf.float32)
    noise = tf.TensorSpec([None, None, decoding.TRIES], tf.float32)
    text, ended = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.bool)
    write = functools.partial(decoding.write, model, ends=ENDS)
    return (
        graph(functools.partial(decoding.prime, model), input_signature=[text, row]),
        graph(write, input_signature=[row, state, text, ended, noise, SETTINGS]),
    )


SETTINGS = Settings(*[tf.TensorSpec([], dtype) for dtype in (tf.float32, tf.int32, *[tf.float32] * 3, tf.int32, tf.bool)])


def settings_of(temperature=0.0, top_k=0, top_p=1.0, min_p=0.0, penalty=1.0, size=0, stop=False):
    values = temperature, top_k, top_p, min_p, penalty, size, stop
    return Settings(*[tf.constant(value, spec.dtype) for value, spec in zip(values, SETTINGS, strict=True)])


def start_of(model, prompts):
    """(last, state, text) of prompts, lists of ids."""
    left = at_the_left(prompts)
    return *traced(model)[0](*left), decoding.text_of(*left)


def generate(model, prompts, max_words, temperature=0.0, seed=1, keys=None, pieces=None, **settings):
    """pieces: words to write at a time, one after the other, in place of all at once."""
    keys = tf.constant(keys or list(range(len(prompts))), tf.int32)
    last, state, text = start_of(model, prompts)
    written, start = [], 0
    for count in pieces or [max_words]:
        numbers = decoding.noise(keys, tf.constant(seed), tf.constant(start), tf.constant(count))
        ended = tf.logical_and(start > 0, decoding.is_end(last, ENDS))
        words, last, state, text = traced(model)[1](last, state, text, ended, numbers, settings_of(temperature, **settings))
        written.append(words.numpy())
        start += count
    written = np.concatenate(written, axis=1)
    np.testing.assert_array_equal(text[:, -start:] if start else np.zeros([len(prompts), 0]), written)
    return written


PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9], [0, 1]]


@pytest.fixture(scope="module")
def shared():
    """One model for the tests that leave its weights alone: it is traced once."""
    model = LanguageModel(Shape(12, 5, 7, 1, 5, True), Initializer("uniform", 1.0, 2))
    model.softmax_bias.assign(np.random.default_rng(2).normal(0, 0.5, 12))
    return model


@pytest.fixture(scope="module")
def adaptive():
    """The same with an adaptive softmax, whose logits are log probabilities."""
    return LanguageModel(Shape(12, 5, 7, 1, None, False, (5, 9)), Initializer("uniform", 1.0, 2))


@pytest.fixture(scope="module")
def deep():
    """The same of two layers."""
    return LanguageModel(Shape(12, 5, 7, 2, 5, True), Initializer("uniform", 1.0, 2))


def test_greedy_text_is_the_plain_models(shared):
    for prompt, row in zip(PROMPTS, generate(shared, PROMPTS, 12), strict=True):
        assert row.tolist() == plain.greedy(PlainModel.from_model(shared), prompt, 12)


OPTIONS = [
    {"penalty": 1.5},
    {"penalty": 1.2, "size": 3, "temperature": 1.1, "top_k": 6, "min_p": 0.1},
    {"size": 1, "temperature": 1.0},
    {"stop": True, "temperature": 1.0, "top_p": 0.9},
    {"stop": True, "size": 2},
]


@pytest.mark.parametrize(("penalty", "size"), [(1.5, 0), (1.0, 1), (1.0, 2), (1.0, 3), (1.3, 2), (0.7, 4)])
@pytest.mark.parametrize("name", ["shared", "adaptive"])
def test_greedy_text_with_penalties_is_the_plain_models(request, name, penalty, size):
    model = request.getfixturevalue(name)
    for prompt, row in zip(PROMPTS, generate(model, PROMPTS, 20, penalty=penalty, size=size), strict=True):
        assert row.tolist() == plain.greedy(PlainModel.from_model(model), prompt, 20, penalty, size)
        grams = [tuple([*prompt, *row][i : i + size]) for i in range(len(prompt) + 20 - size + 1)]
        if size in (2, 3):  # there are more of these than words
            assert len(set(grams)) == len(grams)


def test_options_that_are_off_leave_the_text_as_it_is(shared):
    """Also beside one that is on and has nothing to do."""
    for settings in ({}, {"temperature": 1.0}, {"temperature": 1.0, "top_p": 0.8}):
        assert generate(shared, PROMPTS, 20, size=100, **settings).tolist() == generate(shared, PROMPTS, 20, **settings).tolist()


def test_a_text_stops_with_the_first_end_that_is_written(shared):
    prompts = [*PROMPTS, [9], [3, 4]]  # an end in a prompt is none
    long, short = (generate(shared, prompts, 60, 1.0, stop=stop) for stop in (False, True))
    for whole, row in zip(long.tolist(), short.tolist(), strict=True):
        end = next(i for i, word in enumerate(whole) if word in ENDS) + 1
        assert row == whole[:end] + [0] * (60 - end)
    assert len({row.tolist().index(0) for row in short}) > 1


def test_no_step_is_taken_after_the_last_row_has_stopped(shared):
    last, state, text = start_of(shared, [[1, 2]])
    noise = decoding.noise(tf.constant([7]), tf.constant(1), tf.constant(0), tf.constant(60))
    write, running = traced(shared)[1], tf.constant([False])
    words, _, stopped, _ = write(last, state, text, running, noise, settings_of(1.0, stop=True))
    count = int((words[0] > 0).numpy().sum())
    assert 0 < count < 60
    exact = write(last, state, text, running, noise[:, :count], settings_of(1.0, size=100))[2]
    np.testing.assert_array_equal(stopped, exact)


@functools.cache
def searched(model):
    graph = functools.partial(tf.function, autograph=False)
    row, scalar = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
    state = tf.TensorSpec([model.shape.layers, 2, None, model.shape.hidden_size], tf.float32)
    text = tf.TensorSpec([None, None], tf.int32)
    search = functools.partial(decoding.beam_search, model, ends=ENDS)
    return graph(search, input_signature=[row, state, text, scalar, scalar, scalar, SETTINGS])


def beam(model, prompts, count, width, best=1, **settings):
    """Lists of ids, `best` for each prompt, without what comes after their end."""
    numbers = tf.constant(count), tf.constant(width), tf.constant(best)
    found = searched(model)(*start_of(model, prompts), *numbers, settings_of(**settings)).numpy()
    assert found.shape == (len(prompts) * best, count)
    texts = [row[: np.argmax(row == 0) if (row == 0).any() else None].tolist() for row in found]
    assert all((row[len(text) :] == 0).all() for row, text in zip(found, texts, strict=True))
    return [texts[i : i + best] for i in range(0, len(texts), best)]


@pytest.mark.parametrize("settings", [{}, {"penalty": 1.4}, {"size": 2}, {"stop": True}, {"stop": True, "penalty": 1.2, "size": 1}])
@pytest.mark.parametrize("width", [1, 2, 4, 15])
@pytest.mark.parametrize("name", ["shared", "adaptive"])
def test_a_beam_search_finds_what_the_plain_one_finds(request, name, width, settings):
    model = request.getfixturevalue(name)
    options = {"penalty": settings.get("penalty", 1.0), "size": settings.get("size", 0), "ends": ENDS if settings.get("stop") else ()}
    for prompt, texts in zip(PROMPTS, beam(model, PROMPTS, 7, width, best=width, **settings), strict=True):
        expected = plain.beam_search(PlainModel.from_model(model), prompt, 7, width, **options)
        assert texts == [words for _, words in expected]


@pytest.mark.parametrize("stop", [False, True])
def test_a_beam_wide_enough_finds_the_best_of_all_texts(shared, stop):
    found = beam(shared, PROMPTS, 3, 11**3, best=5, stop=stop)
    for prompt, texts in zip(PROMPTS, found, strict=True):
        every = plain.every_text(PlainModel.from_model(shared), prompt, 3, ENDS if stop else ())
        assert texts == [words for _, words in every[:5]]


def test_a_beam_of_one_is_greedy_and_a_wider_one_finds_more_probable_texts(shared):
    model, better = PlainModel.from_model(shared), 0
    greedy = generate(shared, PROMPTS, 12)
    assert [texts[0] for texts in beam(shared, PROMPTS, 12, 1)] == greedy.tolist()
    for prompt, row, (text,) in zip(PROMPTS, greedy.tolist(), beam(shared, PROMPTS, 12, 6), strict=True):
        start = len(prompt) - 1
        costs = [model.nats([*prompt, *words])[start:].sum() for words in (row, text)]
        assert costs[1] <= costs[0] + 1e-4
        better += costs[1] < costs[0] - 1e-4
    assert better


def test_a_beam_search_of_no_words_or_no_prompts_and_of_more_places_than_texts(shared):
    assert beam(shared, PROMPTS, 0, 3) == [[[]]] * 4
    texts = beam(shared, [[1, 2]], 1, 40, best=40)[0]
    assert len({tuple(text) for text in texts}) == 11  # never <unk>; the last of them fills up
    assert texts[11:] == texts[10:11] * 29
    nothing = tf.zeros([0], tf.int32), tf.zeros([1, 2, 0, 7]), tf.zeros([0, 1], tf.int32)
    assert searched(shared)(*nothing, tf.constant(4), tf.constant(3), tf.constant(2), settings_of()).shape == (0, 4)


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 1.0}, {"temperature": 0.8, "top_k": 4}, {"temperature": 1.2, "top_p": 0.8}, *OPTIONS]
)
def test_each_row_equals_its_own_call(shared, settings):
    together = generate(shared, PROMPTS, 15, **settings)
    for i, prompt in enumerate(PROMPTS):
        assert together[i].tolist() == generate(shared, [prompt], 15, keys=[i], **settings)[0].tolist()


def test_the_seed_fixes_the_text_and_more_words_continue_it(shared):
    long = generate(shared, PROMPTS, 40, 1.0)
    assert (generate(shared, PROMPTS, 40, 1.0) == long).all()
    assert (generate(shared, PROMPTS, 40, 1.0, seed=2) != long).any()
    assert (generate(shared, PROMPTS, 9, 1.0) == long[:, :9]).all()
    assert (generate(shared, PROMPTS, 1, 1.0) == long[:, :1]).all()
    assert generate(shared, PROMPTS, 0, 1.0).shape == (4, 0)


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 1.0}, {"temperature": 1.3, "top_k": 5}, {"temperature": 1.0, "top_p": 0.7}, *OPTIONS]
)
def test_a_text_in_pieces_is_the_text_at_once(deep, settings):
    whole = generate(deep, PROMPTS, 20, **settings)
    assert generate(deep, PROMPTS, 20, pieces=[1, 7, 0, 12], **settings).tolist() == whole.tolist()


def test_many_rows_are_written_as_few_are(shared):
    prompts = [[i % 11 + 1] for i in range(decoding.ROWS + 3)]
    together = generate(shared, prompts, 15, temperature=1.0)
    few = [generate(shared, prompts[i : i + 2], 15, temperature=1.0, keys=[i, i + 1]) for i in range(0, decoding.ROWS, 2)]
    assert together[: decoding.ROWS].tolist() == np.concatenate(few).tolist()


def test_unknown_is_never_written_even_if_it_is_the_likeliest(tiny_model):
    model = tiny_model()
    model.softmax_bias.assign([50.0] + [0.0] * 11)
    for temperature in (0.0, 1.0, 5.0):
        assert (generate(model, PROMPTS, 30, temperature) > 0).all()


def test_noise_is_uniform_and_differs_by_key_and_seed_and_goes_on():
    keys = tf.constant([1, 2, 1])
    numbers = decoding.noise(keys, tf.constant(3), tf.constant(0), tf.constant(2_000)).numpy()
    assert numbers.shape == (3, 2_000, decoding.TRIES)
    assert (numbers[0] == numbers[2]).all()
    assert abs(np.corrcoef(numbers[0].ravel(), numbers[1].ravel())[0, 1]) < 0.03
    assert stats.kstest(numbers[0].ravel(), "uniform").pvalue > 1e-3
    assert (numbers != decoding.noise(keys, tf.constant(4), tf.constant(0), tf.constant(2_000)).numpy()).any()
    assert (numbers[:, 90:100] == decoding.noise(keys, tf.constant(3), tf.constant(90), tf.constant(10)).numpy()).all()
