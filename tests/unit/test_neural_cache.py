import math

import numpy as np
import pytest

from lstm_lm.evaluation import neural_cache
from plain import PlainModel


def plain_nats(hidden, words, model_nats, size, theta, weight):
    """Compute nats with a neural cache from its definition, one pair of positions at a time."""
    nats = []
    for t in range(len(words)):
        pairs = range(max(0, t - size), t)
        scores = [math.exp(theta * float(np.dot(hidden[t], hidden[i]))) for i in pairs]
        matching = sum(score for score, i in zip(scores, pairs, strict=True) if words[i] == words[t])
        mixed = (1 - weight) * math.exp(-model_nats[t]) + weight * matching / sum(scores) if scores else math.exp(-model_nats[t])
        nats.append(-math.log(mixed))
    return np.array(nats)


def document(words=40, vocabulary=6, width=5):
    rng = np.random.default_rng(2)
    return rng.normal(size=[words, width]), rng.integers(0, vocabulary, words), rng.exponential(2, words)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("rows", [1, 4, 256])
@pytest.mark.parametrize(("theta", "weight"), [(0.0, 0.1), (0.7, 0.3)])
def test_nats_with_cache_match_the_definition(monkeypatch, size, rows, theta, weight):
    monkeypatch.setattr(neural_cache, "ROWS", rows)
    hidden, words, model_nats = document()
    nats = neural_cache.nats_with_cache(hidden, words, model_nats, size, theta, weight)
    np.testing.assert_allclose(nats, plain_nats(hidden, words, model_nats, size, theta, weight), rtol=1e-5)


def test_nats_with_cache_match_a_hand_computed_example():
    # The words 3 5 3, with one-dimensional hidden states. The model gives each word the probability 1/4.
    nats = neural_cache.nats_with_cache([[1.0], [0.0], [2.0]], [3, 5, 3], np.full(3, math.log(4)), 10, 1.0, 0.5)
    third = 0.5 / 4 + 0.5 * math.exp(2) / (math.exp(2) + math.exp(0))  # 3 followed the more similar state
    np.testing.assert_allclose(nats, -np.log([1 / 4, 0.5 / 4, third]), rtol=1e-6)


def test_probabilities_of_all_words_sum_to_one():
    hidden, words, _ = document()
    model = np.random.default_rng(0).dirichlet(np.ones(6))
    t = 30  # each word in turn at this position, with the same cache
    total = 0
    for word in range(6):
        candidate = np.concatenate([words[:t], [word]])
        total += math.exp(-neural_cache.nats_with_cache(hidden[: t + 1], candidate, -np.log(model[candidate]), 20, 0.5, 0.2)[t])
    assert total == pytest.approx(1)


def test_each_document_is_scored_from_an_empty_cache(tiny_model, monkeypatch):
    monkeypatch.setattr(neural_cache, "ROWS", 8)
    model = tiny_model()
    plain_model = PlainModel.from_model(model)
    texts = [np.random.default_rng(i).integers(0, 12, length).astype(np.int32) for i, length in enumerate((21, 1, 0, 9, 2))]
    for document, nats in zip(texts, neural_cache.score(model, texts, 5, 0.8, 0.25), strict=True):
        assert len(nats) == max(len(document) - 1, 0)
        state, hidden = plain_model.initial_state(1), []
        for word in document[:-1]:
            output, state = plain_model.hidden(np.array([word]), state)
            hidden.append(output[0])
        if len(nats):
            np.testing.assert_allclose(nats, plain_nats(hidden, document[1:], plain_model.nats(document), 5, 0.8, 0.25), rtol=1e-4)


def test_large_similarities_do_not_overflow_and_an_empty_document_is_scored():
    hidden, words, model_nats = document()
    nats = neural_cache.nats_with_cache(hidden * 1000, np.arange(len(words)), model_nats + 800, 10, 5.0, 0.2)
    np.testing.assert_allclose(nats[1:], model_nats[1:] + 800 - math.log(0.8))  # no word repeats
    assert len(neural_cache.nats_with_cache(np.zeros([0, 3]), np.zeros(0, int), np.zeros(0), 5, 1.0, 0.5)) == 0
