import numpy as np
import pytest
import tensorflow as tf

import plain
from decoding_models import ENDS, LOOKING_BACK, PROMPTS, align_left, generate, generate_in_graph, option_values, prefill_in_graph
from lstm_lm.generation.decoding import MIN_ROWS_TO_TRANSPOSE
from lstm_lm.generation.random_numbers import uniforms
from lstm_lm.model.language_model import Initializer, LanguageModel
from lstm_lm.model.shape import Shape
from plain import PlainModel


@pytest.fixture(scope="module")
def deep():
    """A model like `shared_model`, but with two layers."""
    return LanguageModel(Shape(12, 5, 7, 2, 5, True), Initializer("uniform", 1.0, 2))


def test_greedy_text_matches_the_plain_model(shared_model):
    for prompt, row in zip(PROMPTS, generate(shared_model, PROMPTS, 12), strict=True):
        assert row.tolist() == plain.greedy(PlainModel.from_model(shared_model), prompt, 12)


@pytest.mark.slow
@pytest.mark.parametrize(("penalty", "size"), [(1.5, 0), (1.0, 1), (1.0, 2), (1.0, 3), (1.3, 2), (0.7, 4)])
@pytest.mark.parametrize("name", ["shared_model", "adaptive_model"])
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


def test_decoding_stops_when_all_rows_have_stopped(shared_model):
    texts = prefill_in_graph(shared_model)(*align_left([[1, 2]]))
    numbers = uniforms(tf.constant([7]), tf.constant(1), tf.constant(0), tf.constant(60))
    loop, running = generate_in_graph(shared_model), tf.constant([False])
    words, stopped = loop(texts, running, numbers, option_values(temperature=1.0, stop_at_sentence_end=True))
    count = int((words[0] > 0).numpy().sum())
    assert 0 < count < 60
    _, exact = loop(texts, running, numbers[:, :count], option_values(temperature=1.0, no_repeat_ngram=100))
    np.testing.assert_array_equal(stopped.state, exact.state)


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


def test_rows_of_a_large_batch_equal_rows_of_small_batches(shared_model):
    rows = MIN_ROWS_TO_TRANSPOSE
    prompts = [[i % 11 + 1] for i in range(rows + 3)]
    together = generate(shared_model, prompts, 15, temperature=1.0)
    few = [generate(shared_model, prompts[i : i + 2], 15, temperature=1.0, keys=[i, i + 1]) for i in range(0, rows, 2)]
    assert together[:rows].tolist() == np.concatenate(few).tolist()


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
