import numpy as np
import pytest
import tensorflow as tf

import plain
from decoding_models import ENDS, PROMPTS, align_left, generate, option_values, prefill_in_graph, search_in_graph
from lstm_lm.generation.decoding import Texts
from plain import PlainModel


def search(model, prompts, count, width, best=1, **options):
    """Return the `best` texts of each prompt as lists of ids that stop at the end of the text."""
    values = option_values(len(prompts), max_words=count, beam_width=width, samples=best, **options)
    rows = search_in_graph(model)(prefill_in_graph(model)(*align_left(prompts)), values).numpy()
    assert rows.shape == (len(prompts) * best, count)
    texts = [row[: np.argmax(row == 0) if (row == 0).any() else None].tolist() for row in rows]
    assert all((row[len(text) :] == 0).all() for row, text in zip(rows, texts, strict=True))
    return [texts[i : i + best] for i in range(0, len(texts), best)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"repetition_penalty": 1.4},
        {"no_repeat_ngram": 2},
        {"stop_at_sentence_end": True},
        {"stop_at_sentence_end": True, "repetition_penalty": 1.2, "no_repeat_ngram": 1},
    ],
)
@pytest.mark.parametrize("width", [1, 2, 4, 15])
@pytest.mark.parametrize(
    "name",
    ["shared_model", "adaptive_model", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ensemble_model", "mixture_model"))],
)
def test_texts_match_the_plain_beam_search(request, name, width, options):
    model = request.getfixturevalue(name)
    plain_options = {
        "penalty": options.get("repetition_penalty", 1.0),
        "size": options.get("no_repeat_ngram", 0),
        "ends": ENDS if options.get("stop_at_sentence_end") else (),
    }
    for prompt, texts in zip(PROMPTS, search(model, PROMPTS, 7, width, best=width, **options), strict=True):
        expected = plain.beam_search(PlainModel.from_model(model), prompt, 7, width, **plain_options)
        assert texts == [words for _, words in expected]


@pytest.mark.parametrize("stop", [False, True])
def test_a_sufficiently_wide_beam_finds_the_best_of_all_texts(shared_model, stop):
    best = search(shared_model, PROMPTS, 3, 11**3, best=5, stop_at_sentence_end=stop)
    for prompt, texts in zip(PROMPTS, best, strict=True):
        expected = plain.all_texts(PlainModel.from_model(shared_model), prompt, 3, ENDS if stop else ())
        assert texts == [words for _, words in expected[:5]]


@pytest.mark.slow
def test_a_beam_of_width_1_is_greedy_and_a_wider_beam_finds_more_probable_texts(shared_model):
    model, improved = PlainModel.from_model(shared_model), 0
    greedy = generate(shared_model, PROMPTS, 12)
    assert [texts[0] for texts in search(shared_model, PROMPTS, 12, 1)] == greedy.tolist()
    for prompt, row, (text,) in zip(PROMPTS, greedy.tolist(), search(shared_model, PROMPTS, 12, 6), strict=True):
        start = len(prompt) - 1
        nats = [model.nats([*prompt, *words])[start:].sum() for words in (row, text)]
        assert nats[1] <= nats[0] + 1e-4
        improved += nats[1] < nats[0] - 1e-4
    assert improved


def test_zero_words_zero_prompts_and_more_samples_than_texts_are_valid(shared_model):
    assert search(shared_model, PROMPTS, 0, 3) == [[[]]] * 4
    texts = search(shared_model, [[1, 2]], 1, 40, best=40)[0]
    assert len({tuple(text) for text in texts}) == 11  # <unk> is never generated; the last text is repeated to fill the beam
    assert texts[11:] == texts[10:11] * 29
    no_texts = Texts(tf.zeros([0], tf.int32), tf.zeros([1, 2, 0, 7]), tf.zeros([0, 1], tf.int32))
    assert search_in_graph(shared_model)(no_texts, option_values(0, max_words=4, beam_width=3, samples=2)).shape[0] == 0


def test_what_must_be_the_same_in_all_rows_is_checked(shared_model):
    texts = prefill_in_graph(shared_model)(*align_left([[1, 2], [3]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="beam_width: must be the same for all prompts of a beam search"):
        search_in_graph(shared_model)(texts, option_values(2, max_words=3, beam_width=[2, 3]))


def test_penalties_and_sentence_ends_are_each_rows_own(shared_model):
    options = {"repetition_penalty": [1.0, 1.4, 1.0, 1.2], "stop_at_sentence_end": [True, False, False, True]}
    together = search(shared_model, PROMPTS, 7, 3, **options)
    for i, prompt in enumerate(PROMPTS):
        assert together[i] == search(shared_model, [prompt], 7, 3, **{name: values[i] for name, values in options.items()})[0]
