import math

import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.data.dataset import HeldOut
from lstm_lm.evaluation import scoring
from plain import PlainModel


def documents(*lengths):
    draw = np.random.default_rng(3)
    return [draw.integers(0, 12, length).astype(np.int32) for length in lengths]


@pytest.mark.parametrize(("rows", "window"), [(64, 256), (64, 4), (2, 7), (1, 1)])
def test_every_word_but_the_first_is_scored_once_from_zero_state_whatever_the_windows(tiny_model, monkeypatch, rows, window):
    monkeypatch.setattr(scoring, "ROWS", rows)
    monkeypatch.setattr(scoring, "WINDOW", window)
    model = tiny_model()
    plain = PlainModel.from_model(model)
    texts = documents(5, 23, 1, 9, 2, 0, 23)

    def score_window(ids, targets, state):
        logits, state = model(tf.constant(ids), state)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits), state

    scored = scoring.score(score_window, model.initial_state, texts, 12)
    for document, nats in zip(texts, scored, strict=True):
        assert len(nats) == max(len(document) - 1, 0)
        if len(nats):
            np.testing.assert_allclose(nats, plain.nats(document), rtol=1e-4)


def test_figures_of_a_hand_computed_example():
    # Four scored words in 10 characters, two of them unknown, of three different unknown words in the split.
    held_out = HeldOut(documents=[], scored_words=4, unknown_words=2, unknown_types=3, characters=10)
    found = scoring.figures([np.array([math.log(2), math.log(4)]), np.array([math.log(8), math.log(16)])], held_out)
    assert found["loss"] == pytest.approx(math.log(2) * 2.5)
    assert found["perplexity"] == pytest.approx(2**2.5)
    assert found["oov_rate"] == 0.5
    assert found["adjusted_perplexity"] == pytest.approx((2**10 * 3**2) ** (1 / 4))
    assert found["bits_per_character"] == pytest.approx((10 + 2 * math.log2(3)) / 10)
    assert found["words"] == 4


def test_an_even_guess_over_characters_is_the_same_figure_with_or_without_unknown_words():
    # 8 words of equal chance, or <unk> standing for 8 of them and nothing else: the adjusted figures must agree.
    known = scoring.figures([np.full(5, math.log(8))], HeldOut([], 5, 0, 0, 20))
    unknown = scoring.figures([np.zeros(5)], HeldOut([], 5, 5, 8, 20))
    assert known["adjusted_perplexity"] == pytest.approx(unknown["adjusted_perplexity"])
    assert known["bits_per_character"] == pytest.approx(unknown["bits_per_character"])


def test_a_word_too_few_is_an_error():
    with pytest.raises(ValueError, match="3 costs for 4 scored words"):
        scoring.figures([np.zeros(3)], HeldOut([], 4, 0, 0, 9))


def test_pieces_of_training_text_are_spread_evenly_and_cut_at_documents():
    # 40 words of 100 in pieces of 10: at 0, 30, 60 and 90.
    assert scoring.spread([100], 40, 10) == [(0, 0, 10), (0, 30, 40), (0, 60, 70), (0, 90, 100)]
    assert scoring.spread([35, 0, 30, 35], 40, 10) == [(0, 0, 10), (0, 30, 35), (2, 0, 5), (2, 25, 30), (3, 0, 5), (3, 25, 35)]
    assert scoring.spread([7, 8], 100, 4) == [(0, 0, 4), (0, 4, 7), (1, 0, 1), (1, 1, 4), (1, 4, 8)]  # no more than all words, once
    assert scoring.spread([100], 3, 10) == [(0, 0, 3)]


@pytest.mark.parametrize(("lengths", "words"), [((5000, 3, 1, 9000, 2500), 6000), ((2,) * 9000, 4001)])
def test_pieces_are_as_many_words_as_asked_for_and_none_is_there_twice(lengths, words):
    seen = [(document, word) for document, start, stop in scoring.spread(lengths, words) for word in range(start, stop)]
    assert len(seen) == len(set(seen)) == words
    assert all(word < lengths[document] for document, word in seen)
    assert seen == sorted(seen)
    assert {seen[0], seen[-1]} == {(0, 0), (len(lengths) - 1, lengths[-1] - 1)}  # from the beginning to the end


def test_figures_of_sums_take_arrays_as_well():
    found = scoring.from_sums(np.array([4.0, 6000.0]), np.array([2, 4]), np.array([0, 1]), 3, np.array([8, 10]))
    np.testing.assert_allclose(found["loss"], [2, 1500])
    np.testing.assert_allclose(found["perplexity"], [math.exp(2), math.inf])
    np.testing.assert_allclose(found["bits_per_character"], [4 / math.log(2) / 8, (6000 + math.log(3)) / math.log(2) / 10])
