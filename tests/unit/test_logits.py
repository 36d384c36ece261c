import numpy as np
import pytest
import tensorflow as tf

from decoding_models import PROMPTS, generate
from lstm_lm.generation import logits
from lstm_lm.generation.logits import BLOCKED
from lstm_lm.generation.options import by_name
from lstm_lm.model.language_model import LanguageModel

TEMPERATURES = np.array([1e-4, 0.5, 1.0, 3.0, by_name()["temperature"].maximum], np.float32)
HIDDEN = np.random.default_rng(3).normal(size=[len(TEMPERATURES), 15]).astype(np.float32)


@pytest.mark.parametrize("name", ["shared_model", "adaptive_model", "ensemble_model"])
def test_logits_are_those_of_the_model_and_other_columns_are_blocked_at_every_temperature(request, name):
    model: LanguageModel = request.getfixturevalue(name)
    words, hidden = model.shape.vocabulary_size, tf.constant(HIDDEN[:, : len(model.members) * model.shape.output_size])
    prepared = logits.prepare(model)
    found = logits.logits(model, prepared, hidden, tf.constant(1 / TEMPERATURES)).numpy()
    expected = model.logits(hidden).numpy()
    assert found.shape == (len(TEMPERATURES), logits.columns(model))
    assert logits.columns(model) % 16 == 0
    np.testing.assert_allclose(found[:, 1:words], (expected / TEMPERATURES[:, np.newaxis])[:, 1:], rtol=2e-5, atol=1e-6)
    assert (found[:, [0, *range(words, found.shape[1])]] <= BLOCKED).all()
    np.testing.assert_allclose(logits.unknown_logits(model, prepared, hidden), expected[:, 0], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, 3.0, 100.0])
def test_if_all_words_are_blocked_a_word_is_generated_all_the_same(shared_model, temperature):
    generated = generate(shared_model, PROMPTS, 20, no_repeat_ngram=1, temperature=temperature)
    assert ((generated > 0) & (generated < shared_model.shape.vocabulary_size)).all()
    assert all(len(set(row)) > 5 for row in generated.tolist())
