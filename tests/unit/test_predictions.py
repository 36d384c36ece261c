from itertools import pairwise

import numpy as np
import pytest

from lstm_lm.evaluation.details import predictions
from plain import PlainModel, log_softmax

RNG = np.random.default_rng(0)
DOCUMENTS = [RNG.integers(0, 12, size).astype(np.int32) for size in (3, 40, 1, 25, 0, 2)]


def plain_predictions(model, documents):
    """Compute the top probability and the rank of each word from whole distributions, in float64."""
    top, rank = [], []
    for document in documents:
        state = model.initial_state(1)
        for word, target in pairwise(document):
            logits, state = model.step(np.array([word]), state)
            p = np.exp(log_softmax(logits)[0])
            top.append(p.max())
            rank.append(sorted(-p).index(-p[target]))
    return top, rank


@pytest.mark.parametrize("max_logits", [1, 12 * 5 * 7, 2**24], ids=["word by word", "in windows", "at once"])
def test_predictions_match_plain_distributions(shared_model, monkeypatch, max_logits):
    monkeypatch.setattr(predictions, "MAX_ROWS", 3)
    predicted = predictions.predict(shared_model, DOCUMENTS, max_logits)
    top, rank = plain_predictions(PlainModel.from_model(shared_model), DOCUMENTS)
    np.testing.assert_allclose(predicted.top_probability, top, rtol=1e-5)
    assert predicted.rank.tolist() == rank


def test_predictions_of_an_adaptive_softmax_match_plain_distributions(adaptive_model):
    predicted = predictions.predict(adaptive_model, DOCUMENTS)
    top, rank = plain_predictions(PlainModel.from_model(adaptive_model), DOCUMENTS)
    np.testing.assert_allclose(predicted.top_probability, top, rtol=1e-5)
    assert predicted.rank.tolist() == rank


def test_without_words_there_are_none(shared_model):
    assert len(predictions.predict(shared_model, [np.array([3], np.int32)]).rank) == 0
