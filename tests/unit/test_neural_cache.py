import math

import numpy as np
import pytest

from lstm_lm.evaluation import neural_cache
from plain import PlainModel


def plain(hidden, words, of_model, size, theta, weight):
    """The definition, pair by pair."""
    costs = []
    for t in range(len(words)):
        pairs = range(max(0, t - size), t)
        shares = [math.exp(theta * float(np.dot(hidden[t], hidden[i]))) for i in pairs]
        own = sum(share for share, i in zip(shares, pairs, strict=True) if words[i] == words[t])
        mixed = (1 - weight) * math.exp(-of_model[t]) + weight * own / sum(shares) if shares else math.exp(-of_model[t])
        costs.append(-math.log(mixed))
    return np.array(costs)


def document(words=40, vocabulary=6, width=5):
    draw = np.random.default_rng(2)
    return draw.normal(size=[words, width]), draw.integers(0, vocabulary, words), draw.exponential(2, words)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("rows", [1, 4, 256])
@pytest.mark.parametrize(("theta", "weight"), [(0.0, 0.1), (0.7, 0.3)])
def test_it_is_the_definition_pair_by_pair(monkeypatch, size, rows, theta, weight):
    monkeypatch.setattr(neural_cache, "ROWS", rows)
    hidden, words, of_model = document()
    found = neural_cache.nats_with_cache(hidden, words, of_model, size, theta, weight)
    np.testing.assert_allclose(found, plain(hidden, words, of_model, size, theta, weight), rtol=1e-5)


def test_a_hand_computed_example():
    # Words 3 5 3 after states of one number each; the model gives each word a quarter.
    found = neural_cache.nats_with_cache([[1.0], [0.0], [2.0]], [3, 5, 3], np.full(3, math.log(4)), 10, 1.0, 0.5)
    third = 0.5 / 4 + 0.5 * math.exp(2) / (math.exp(2) + math.exp(0))  # 3 came after the state that is more alike
    np.testing.assert_allclose(found, -np.log([1 / 4, 0.5 / 4, third]), rtol=1e-6)


def test_all_words_together_have_probability_one():
    hidden, words, _ = document()
    model = np.random.default_rng(0).dirichlet(np.ones(6))
    t = 30  # every word in turn at this place: the cache before it stays
    total = 0
    for word in range(6):
        tried = np.concatenate([words[:t], [word]])
        total += math.exp(-neural_cache.nats_with_cache(hidden[: t + 1], tried, -np.log(model[tried]), 20, 0.5, 0.2)[t])
    assert total == pytest.approx(1)


def test_documents_are_scored_by_a_model_each_from_an_empty_cache(tiny_model, monkeypatch):
    monkeypatch.setattr(neural_cache, "ROWS", 8)
    model = tiny_model()
    plain_model = PlainModel.from_model(model)
    texts = [np.random.default_rng(i).integers(0, 12, length).astype(np.int32) for i, length in enumerate((21, 1, 0, 9, 2))]
    for document, found in zip(texts, neural_cache.score(model, texts, 5, 0.8, 0.25), strict=True):
        assert len(found) == max(len(document) - 1, 0)
        state, hidden = plain_model.initial_state(1), []
        for word in document[:-1]:
            output, state = plain_model.hidden(np.array([word]), state)
            hidden.append(output[0])
        if len(found):
            np.testing.assert_allclose(found, plain(hidden, document[1:], plain_model.nats(document), 5, 0.8, 0.25), rtol=1e-4)


def test_large_likenesses_do_not_overflow_and_no_words_are_no_error():
    hidden, words, of_model = document()
    found = neural_cache.nats_with_cache(hidden * 1000, np.arange(len(words)), of_model + 800, 10, 5.0, 0.2)
    np.testing.assert_allclose(found[1:], of_model[1:] + 800 - math.log(0.8))  # no word comes again
    assert len(neural_cache.nats_with_cache(np.zeros([0, 3]), np.zeros(0, int), np.zeros(0), 5, 1.0, 0.5)) == 0
