import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.evaluation import scoring
from plain import PlainModel


def documents(*lengths):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 12, length).astype(np.int32) for length in lengths]


@pytest.mark.parametrize(("rows", "window"), [(64, 256), (64, 4), (2, 7), (1, 1)])
def test_scores_match_the_plain_model_for_every_batch_and_window_size(tiny_model, monkeypatch, rows, window):
    monkeypatch.setattr(scoring, "MAX_ROWS", rows)
    monkeypatch.setattr(scoring, "MAX_WINDOW", window)
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


def test_pieces_of_training_text_are_spread_evenly_and_split_at_documents():
    # 40 of 100 words in pieces of 10 words, which start at 0, 30, 60 and 90.
    assert scoring.spread_pieces([100], 40, 10) == [(0, 0, 10), (0, 30, 40), (0, 60, 70), (0, 90, 100)]
    assert scoring.spread_pieces([35, 0, 30, 35], 40, 10) == [(0, 0, 10), (0, 30, 35), (2, 0, 5), (2, 25, 30), (3, 0, 5), (3, 25, 35)]
    assert scoring.spread_pieces([7, 8], 100, 4) == [(0, 0, 4), (0, 4, 7), (1, 0, 1), (1, 1, 4), (1, 4, 8)]  # at most all words, each once
    assert scoring.spread_pieces([100], 3, 10) == [(0, 0, 3)]


@pytest.mark.parametrize(("lengths", "words"), [((5000, 3, 1, 9000, 2500), 6000), ((2,) * 9000, 4001)])
def test_pieces_have_the_requested_number_of_words_and_do_not_overlap(lengths, words):
    positions = [(document, word) for document, start, stop in scoring.spread_pieces(lengths, words) for word in range(start, stop)]
    assert len(positions) == len(set(positions)) == words
    assert all(word < lengths[document] for document, word in positions)
    assert positions == sorted(positions)
    assert {positions[0], positions[-1]} == {
        (0, 0),
        (len(lengths) - 1, lengths[-1] - 1),
    }  # the first and the last word of the text are included
