from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.evaluation import dynamic_evaluation
from plain import PlainModel, log_softmax

SHAPES = [
    {"layers": 2},
    {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": (5, 9)},
]


def documents(*lengths):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 12, length).astype(np.int32) for length in lengths]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_learning_rate_0_equals_static_evaluation(tiny_model, shape):
    model = tiny_model(**shape)
    texts = documents(12, 5, 1, 2, 0)
    for document, nats in zip(texts, dynamic_evaluation.score(model, texts, 0.0, 0.0, 4), strict=True):
        assert len(nats) == max(len(document) - 1, 0)
        if len(nats):
            np.testing.assert_allclose(nats, PlainModel.from_model(model).nats(document), rtol=1e-4)


def numeric_gradient(weights, segment, state, layers):
    """Return the gradient of the mean loss of a segment, by central differences of the plain model in float64."""

    def loss():
        plain, after, total = PlainModel(weights, layers), state, 0.0
        for word, target in pairwise(segment):
            logits, after = plain.step(np.array([word]), after)
            total -= log_softmax(logits)[0, target]
        return total / (len(segment) - 1)

    gradients = {}
    for name, value in weights.items():
        gradients[name] = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            original = value[index]
            value[index] = original + 1e-5
            loss_above = loss()
            value[index] = original - 1e-5
            gradients[name][index] = (loss_above - loss()) / 2e-5
            value[index] = original
    return gradients


def test_scores_match_a_plain_loop_of_scoring_and_updating(tiny_model):
    model = tiny_model(embedding_size=2, hidden_size=3, projection_size=2, vocabulary_size=5)
    texts = [document % 5 for document in documents(9, 6)]
    learning_rate, decay, segment = 0.5, 0.1, 3
    expected = []
    for document in texts:
        trained = {name: variable.numpy().astype(np.float64) for name, variable in model.weights.items()}
        weights = {name: value.copy() for name, value in trained.items()}
        state = PlainModel(weights, 1).initial_state(1)
        for start in range(0, len(document) - 1, segment):
            words = document[start : start + segment + 1]
            before, plain = state, PlainModel(weights, 1)
            for word, target in pairwise(words):
                logits, state = plain.step(np.array([word]), state)
                expected.append(-log_softmax(logits)[0, target])
            if len(words) == segment + 1:
                gradients = numeric_gradient(weights, words, before, 1)
                weights = {
                    name: value + decay * (trained[name] - value) - learning_rate * gradients[name] for name, value in weights.items()
                }
    nats = dynamic_evaluation.score(model, texts, learning_rate, decay, segment)
    np.testing.assert_allclose(np.concatenate(nats), expected, rtol=1e-4)
    static = dynamic_evaluation.score(model, texts, 0.0, 0.0, segment)
    assert not np.allclose(np.concatenate(nats)[3:8], np.concatenate(static)[3:8], rtol=1e-2)
    np.testing.assert_allclose(nats[1][:3], static[1][:3], rtol=1e-6)  # a document starts from the trained weights


def test_the_trained_weights_are_restored_even_after_a_failure(tiny_model):
    model = tiny_model()
    before = {name: variable.numpy() for name, variable in model.weights.items()}
    dynamic_evaluation.score(model, documents(20), 1.0, 0.0, 4)
    with pytest.raises(tf.errors.InvalidArgumentError):
        dynamic_evaluation.score(model, [np.array([1, 2, 3, 4, 5, 6, 99, 7, 1], np.int32)], 1.0, 0.0, 4)
    for name, variable in model.weights.items():
        np.testing.assert_array_equal(variable.numpy(), before[name])


@pytest.mark.slow
def test_dynamic_evaluation_learns_a_repetitive_text(tiny_model):
    model = tiny_model()
    text = [np.tile(np.array([1, 4, 2, 7], np.int32), 40)]
    static, dynamic = (dynamic_evaluation.score(model, text, rate, 0.0, 4)[0] for rate in (0.0, 0.5))
    assert dynamic[-40:].mean() < 0.7 * static[-40:].mean()
