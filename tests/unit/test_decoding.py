import numpy as np
import pytest
import tensorflow as tf

import plain
from decoding_models import (
    ENDS,
    LOOKING_BACK,
    PROMPTS,
    align_left,
    generate,
    generate_in_graph,
    no_extras,
    option_values,
    option_vectors,
    prefill_in_graph,
)
from lstm_lm.generation.decoding_loop import WORDS_PER_BLOCK
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.model.shape import Shape
from plain import PlainModel

# Tracing the loop takes seconds for each model. The fast tests of logits and of beam search have an adaptive softmax too.
SLOW_MODELS = ("adaptive_model", "ensemble_model", "mogrified_model", "mixture_model")
MODELS = ["shared_model", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_MODELS)]


@pytest.fixture(scope="module")
def deep():
    """A model like `shared_model`, but with two layers."""
    return LanguageModel(Shape(12, 5, 7, 2, 5, True), Initializer("uniform", 1.0, 2))


def test_greedy_text_matches_the_plain_model(shared_model):
    for prompt, row in zip(PROMPTS, generate(shared_model, PROMPTS, 12), strict=True):
        assert row.tolist() == plain.greedy(PlainModel.from_model(shared_model), prompt, 12)


@pytest.mark.slow
@pytest.mark.parametrize(("penalty", "size"), [(1.5, 0), (1.0, 1), (1.0, 2), (1.0, 3), (1.3, 2), (0.7, 4)])
@pytest.mark.parametrize("name", ["shared_model", "adaptive_model", "ensemble_model", "mixture_model"])
def test_greedy_text_with_penalties_matches_the_plain_model(request, name, penalty, size):
    model = request.getfixturevalue(name)
    generated = generate(model, PROMPTS, 20, repetition_penalty=penalty, no_repeat_ngram=size)
    for prompt, row in zip(PROMPTS, generated, strict=True):
        assert row.tolist() == plain.greedy(PlainModel.from_model(model), prompt, 20, penalty, size)
        ngrams = [tuple([*prompt, *row][i : i + size]) for i in range(len(prompt) + 20 - size + 1)]
        if size in (2, 3):  # there are enough n-grams of these sizes to repeat none
            assert len(set(ngrams)) == len(ngrams)


def test_options_that_are_off_do_not_change_the_text(shared_model):
    """An option that is on but never applies does not change it either."""
    for options in ({}, {"temperature": 1.0}, {"temperature": 1.0, "top_p": 0.8}):
        with_history = generate(shared_model, PROMPTS, 20, no_repeat_ngram=100, **options)
        assert with_history.tolist() == generate(shared_model, PROMPTS, 20, **options).tolist()


def test_a_text_stops_after_the_first_generated_sentence_end(shared_model):
    prompts = [*PROMPTS, [9], [3, 4]]  # a sentence end in the prompt does not stop the text
    long, short = (generate(shared_model, prompts, 60, temperature=1.0, stop_at_sentence_end=stop) for stop in (False, True))
    for whole, row in zip(long.tolist(), short.tolist(), strict=True):
        end = next(i for i, word in enumerate(whole) if word in ENDS) + 1
        assert row == whole[:end] + [0] * (60 - end)
    assert len({row.tolist().index(0) for row in short}) > 1


def decode(model, prompts, options, extras=None, **state):
    """Call the loop once with options as `GenerationOptions`, one for each row: (what was generated, the history)."""
    texts, rows = prefill_in_graph(model)(*align_left(prompts)), len(prompts)
    start = state.get("keys", tf.range(rows, dtype=tf.int64)), tf.zeros([rows], tf.int32)
    return generate_in_graph(model, False)(texts, *start, option_vectors(options), extras or no_extras(rows))


def test_a_row_that_has_stopped_keeps_its_state(shared_model):
    stops = GenerationOptions(max_words=60, temperature=1.0, stop_at_sentence_end=True)
    stopped, history = decode(shared_model, [[1, 2]], [stops])
    words = stopped.words.numpy()[0]
    count = int((words > 0).sum())
    assert 0 < count < 60
    exact, _ = decode(shared_model, [[1, 2]], [GenerationOptions(max_words=count, temperature=1.0, no_repeat_ngram=100)])
    np.testing.assert_array_equal(stopped.state, exact.state)
    assert history.numpy()[0, -count:].tolist() == words[:count].tolist()


def test_rows_may_ask_for_different_numbers_of_words_and_continue(shared_model):
    counts = [3, 0, 40, 7]
    rows = [GenerationOptions(max_words=count, temperature=1.0, repetition_penalty=1.2) for count in counts]
    first, history = decode(shared_model, PROMPTS, rows)
    whole = generate(shared_model, PROMPTS, 50, temperature=1.0, repetition_penalty=1.2)
    for row, count in enumerate(counts):
        assert first.words[row].numpy().tolist() == [*whole[row, :count], *[0] * (40 - count)]
    texts = prefill_in_graph(shared_model)(*align_left(PROMPTS))._replace(last=first.last, state=first.state, history=history)
    values = option_values(4, max_words=10, temperature=1.0, repetition_penalty=1.2)
    second, _ = generate_in_graph(shared_model, False)(texts, tf.range(4, dtype=tf.int64), tf.constant(counts), values, no_extras(4))
    for row, count in enumerate(counts):
        assert second.words[row].numpy().tolist() == whole[row, count : count + 10].tolist()


@pytest.mark.parametrize("name", MODELS)
def test_log_probabilities_are_those_of_the_plain_model(request, name):
    model = request.getfixturevalue(name)
    plain_model = PlainModel.from_model(model)
    rows = [GenerationOptions(max_words=6, temperature=t, repetition_penalty=1.3, top_k=5) for t in (0.0, 0.5, 1.0, 2.0)]
    extras = [tf.zeros([4, 0], tf.int32), tf.zeros([4, 0]), tf.constant(3)]
    generated, _ = decode(model, PROMPTS, rows, extras)
    for row, prompt in enumerate(PROMPTS):
        state = plain_model.initial_state(1)
        for word in prompt[:-1]:
            _, state = plain_model.step(np.array([word]), state)
        last = prompt[-1]
        for t, word in enumerate(generated.words.numpy()[row]):
            logits, state = plain_model.step(np.array([last]), state)
            log_probabilities = plain.log_softmax(logits)[0]
            assert generated.log_probabilities[row, t].numpy() == pytest.approx(log_probabilities[word], rel=1e-4)
            best = np.argsort(-log_probabilities[1:], kind="stable")[:3] + 1
            np.testing.assert_array_equal(generated.top_words[row, t], best)
            np.testing.assert_allclose(generated.top_log_probabilities[row, t], log_probabilities[best], rtol=1e-4)
            last = word


def test_a_bias_forces_and_bans_words(shared_model):
    rows = [GenerationOptions(max_words=20, temperature=1.0) for _ in PROMPTS]
    free = generate(shared_model, PROMPTS, 20, temperature=1.0)
    biases = [tf.constant([[7], [3], [0], [free[3, 0]]]), tf.constant([[100.0], [-100.0], [50.0], [-100.0]]), tf.constant(-1)]
    words = decode(shared_model, PROMPTS, rows, biases)[0].words.numpy()
    assert set(words[0].tolist()) == {7}
    assert 3 not in words[1]
    assert words[2].tolist() == free[2].tolist()
    assert free[3, 0] not in words[3]


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 1.0}, {"temperature": 0.8, "top_k": 4}, {"temperature": 1.2, "top_p": 0.8}, *LOOKING_BACK]
)
def test_each_row_equals_its_own_call(shared_model, options):
    together = generate(shared_model, PROMPTS, 15, **options)
    for i, prompt in enumerate(PROMPTS):
        assert together[i].tolist() == generate(shared_model, [prompt], 15, keys=[i], **options)[0].tolist()


def test_the_seed_determines_the_text_and_more_words_continue_it(shared_model):
    def words(count, **more):
        return generate(shared_model, PROMPTS, count, temperature=1.0, **more)

    long = words(40)
    assert (words(40) == long).all()
    assert (words(40, seed=2) != long).any()
    assert (words(9) == long[:, :9]).all()
    assert (words(1) == long[:, :1]).all()
    assert words(0).shape == (4, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"temperature": 1.0}, {"temperature": 1.3, "top_k": 5}, {"temperature": 1.0, "top_p": 0.7}, *LOOKING_BACK]
)
def test_text_generated_in_pieces_equals_text_generated_at_once(deep, options):
    whole = generate(deep, PROMPTS, 20, **options)
    assert generate(deep, PROMPTS, 20, pieces=[1, 7, 0, 12], **options).tolist() == whole.tolist()


MIXED = [
    GenerationOptions(**{"max_words": 20, **values})
    for values in (
        {"temperature": 0.0},
        {"temperature": 1.0, "seed": 4},
        {"temperature": 0.7, "top_k": 4, "max_words": 7},
        {"temperature": 1.0, "top_p": 0.8},
        {"temperature": 1.3, "min_p": 0.1, "repetition_penalty": 1.3},
        {"temperature": 1.0, "typical_p": 0.7, "no_repeat_ngram": 2},
        {"temperature": 1.0, "stop_at_sentence_end": True},
    )
]


@pytest.mark.parametrize("name", MODELS)
def test_each_row_has_its_own_options_and_the_text_it_has_alone(request, name):
    model = request.getfixturevalue(name)
    prompts = [PROMPTS[i % 4] for i in range(len(MIXED))]
    together = decode(model, prompts, MIXED)[0].words.numpy()
    for i, options in enumerate(MIXED):
        alone = decode(model, [prompts[i]], [options], keys=tf.constant([i], tf.int64))[0].words.numpy()[0]
        assert together[i, : options.max_words].tolist() == alone.tolist(), options


@pytest.mark.slow
def test_the_table_of_inputs_changes_nothing(deep):
    for options in ({}, {"temperature": 1.0}, *LOOKING_BACK):
        words = [generate(deep, PROMPTS, 15, with_input_table=table, **options).tolist() for table in (False, True)]
        assert words[0] == words[1]


def test_texts_longer_than_a_block_of_random_numbers_continue_where_the_block_ends(shared_model):
    whole = generate(shared_model, PROMPTS, 2 * WORDS_PER_BLOCK + 5, temperature=1.0)
    pieces = [WORDS_PER_BLOCK - 1, 2, WORDS_PER_BLOCK, 4]
    assert generate(shared_model, PROMPTS, None, pieces=pieces, temperature=1.0).tolist() == whole.tolist()


@pytest.fixture
def model_that_predicts_unknown(shared_model):
    """The shared model with other softmax biases, which are restored after the test."""
    bias = shared_model.softmax_bias.numpy()
    shared_model.softmax_bias.assign([50.0] + [0.0] * 11)
    yield shared_model
    shared_model.softmax_bias.assign(bias)


def test_the_unknown_word_is_never_generated_even_if_it_is_most_probable(model_that_predicts_unknown):
    for temperature in (0.0, 1.0, 5.0):
        assert (generate(model_that_predicts_unknown, PROMPTS, 30, temperature=temperature) > 0).all()
