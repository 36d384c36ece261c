import json

import numpy as np
import pytest
import tensorflow as tf
from test_ngrams import documents

from conftest import PROJECT, TINY_VOCABULARY, make_tiny_model
from decoding_models import PROMPTS, generate
from lstm_lm.config import keys, loading
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import SettingError, UserError
from lstm_lm.evaluation import dynamic_evaluation, neural_cache
from lstm_lm.evaluation.details import predictions
from lstm_lm.evaluation.ngrams import KneserNey
from lstm_lm.export import trained_weights, weights
from lstm_lm.export.text_model import TextModel, save_vocabulary
from lstm_lm.jobs import ngram_member
from lstm_lm.model.mixture import Ngrams
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from plain import PlainKneserNey, PlainModel, greedy

IDS = np.array([[1, 2, 3, 0, 0, 1], [9, 0, 11, 10, 0, 0]], np.int32)


def contexts_of(texts, order):
    """The last words of texts as the mixture takes them: int64 [texts, order - 1]."""
    rows = [[word + 1 for word in text[-(order - 1) :]] for text in texts]
    return np.array([[0] * (order - 1 - len(row)) + row for row in rows], np.int64)


@pytest.mark.parametrize("order", [2, 3, 4, 5, 10])
@pytest.mark.parametrize("lengths", [(40,), (300, 2, 1, 0, 500), (3, 4)])
def test_the_probabilities_are_those_of_the_plain_kneser_ney(order, lengths):
    training = documents(*lengths)
    plain, ngrams = PlainKneserNey(training, 11, order), Ngrams(KneserNey(training, 11, order).trie())
    end = tuple(training[0][-4:].tolist())  # may occur nowhere else, so that no word follows it
    texts = [(0,), (10,), (3, 0), (0, 0, 0, 1), (0, 1, 0, 0, 0, 1), (10, 10), (10, 0), (0, 10, 0), (0, 0, 10), end]
    texts.append(tuple(training[0][2:13].tolist()))  # where the training has as many, known contexts of all lengths
    expected = [[plain.probability(word, text) for word in range(11)] for text in texts]
    found = ngrams(tf.constant(contexts_of(texts, order)), 16).numpy()
    np.testing.assert_allclose(found[:, :11], expected, rtol=1e-6)
    assert (found[:, 11:] == 0).all()
    np.testing.assert_array_equal(ngrams(tf.constant(contexts_of(texts, order)), 11), found[:, :11])


def test_a_hand_computed_bigram_model():
    """The model of `test_ngrams.test_a_hand_computed_bigram_model`: a b a b a c, b, and c."""
    ngrams = Ngrams(KneserNey([np.array([0, 1, 0, 1, 0, 2]), np.array([1]), np.array([2])], 4, 2).trie())
    known, unseen, backoff = 1 / 6 + 1 / 8, 1 / 8, 0.5
    after_a = [backoff * known, 1 / 3 + backoff * known, 0.5 / 3 + backoff * known, backoff * unseen]
    np.testing.assert_allclose(ngrams(tf.constant([[1], [3]], tf.int64), 4), [after_a, [known, known, known, unseen]], rtol=1e-6)


@pytest.mark.parametrize("shape", [{"ngrams": 2}, {"ngrams": 4, "layers": 2}, {"ngrams": 3, "members": 2}])
def test_it_scores_as_the_plain_mixture_does_and_in_pieces(shape):
    """From the zero state, which is the beginning of a text."""
    model = make_tiny_model(scale=1.0, **shape)
    plain, expected = PlainModel.from_model(model), []
    state = plain.initial_state(2)
    for t in range(IDS.shape[1]):
        scores, state = plain.step(IDS[:, t], state)
        expected.append(scores)
    scores, after = model(IDS, model.initial_state(2))
    np.testing.assert_allclose(scores, np.stack(expected, axis=1), rtol=1e-5)
    np.testing.assert_allclose(np.exp(scores).sum(axis=-1), 1, rtol=1e-5)
    state, parts = model.initial_state(2), []
    for piece in (IDS[:, :1], IDS[:, 1:2], IDS[:, 2:]):
        part, state = model(piece, state)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), scores, rtol=1e-5)
    np.testing.assert_allclose(state, after, rtol=1e-5, atol=1e-7)
    hidden, next_state, _ = model.training_encode(tf.constant(IDS), model.initial_state(2))
    np.testing.assert_allclose(model.logits(hidden), scores, rtol=1e-4)
    np.testing.assert_allclose(next_state, after, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_greedy_text_matches_the_plain_mixture(mixture_model):
    for prompt, row in zip(PROMPTS, generate(mixture_model, PROMPTS, 12), strict=True):
        assert row.tolist() == greedy(PlainModel.from_model(mixture_model), prompt, 12)


def test_a_model_that_adapts_starts_from_the_mixture(mixture_model):
    """With a learning rate of 0, and with a cache whose weight is almost 0."""
    texts = [IDS.reshape(-1), IDS[0, :2], IDS[0, :1]]
    adapted = dynamic_evaluation.score(mixture_model, texts, 0.0, 0.0, 4), neural_cache.score(mixture_model, texts, 5, 0.5, 1e-9)
    for text, *found in zip(texts, *adapted, strict=True):
        for nats in found:
            np.testing.assert_allclose(nats, PlainModel.from_model(mixture_model).nats(text), rtol=1e-4)


def test_weights_that_adapt_are_those_of_the_model_alone(mixture_model):
    text = [np.tile(IDS[0], 20)]
    static, adapted = (dynamic_evaluation.score(mixture_model, text, rate, 0.0, 6)[0] for rate in (0.0, 0.3))
    assert adapted[60:].mean() < static[60:].mean() - 0.1


def test_the_cache_compares_the_outputs_of_the_model_alone(mixture_model):
    text = [IDS.reshape(-1)]
    of_mixture, of_base = (neural_cache.score(model, text, 5, 0.8, 1 - 1e-9)[0] for model in (mixture_model, mixture_model.base))
    hit = of_base < 10  # words in the cache cost what the cache says
    assert 0 < hit[1:].sum() < len(hit) - 1
    np.testing.assert_allclose(of_mixture[1:][hit[1:]], of_base[1:][hit[1:]], rtol=1e-4)


def test_the_calibration_is_that_of_the_mixture(mixture_model):
    found = predictions.predict(mixture_model, [IDS[0], IDS[1, :3]])
    scores, _ = mixture_model(IDS[:1, :-1], mixture_model.initial_state(1))
    np.testing.assert_allclose(found.top_probability[:5], np.exp(scores[0]).max(axis=-1), rtol=1e-5)


def test_it_is_saved_and_loaded_with_its_configuration_and_trains_on_without_ngrams(mixture_model, tmp_path):
    weights.save_weights(mixture_model, TINY_VOCABULARY, tmp_path / "weights", {})
    assert json.loads((tmp_path / "weights/config.json").read_text())["ngrams"] == {"order": 3, "weight": 0.3}
    loaded = weights.load_weights(tmp_path / "weights")
    np.testing.assert_array_equal(loaded(IDS, loaded.initial_state(2))[0], mixture_model(IDS, mixture_model.initial_state(2))[0])
    words = save_vocabulary(TINY_VOCABULARY, tmp_path / "vocabulary.txt")
    TextModel(mixture_model, Tokenizer(True, "-'"), words).save(tmp_path / "saved_model")
    for folder in ("weights", "saved_model"):
        arrays = trained_weights.read(tmp_path / folder, folder).arrays
        assert arrays.keys() == mixture_model.base.weights.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, mixture_model.base.weights[name])


def settings(**changes):
    params = loading.read(PROJECT / "params.yaml")
    return loading.check(keys.with_changes(params, {"model.ngrams": {"order": 4, "weight": "auto"}, **changes}))


@pytest.mark.parametrize(
    ("words", "vocabulary_size", "hidden_size", "message"),
    [
        (20_000_001, 100, 320, "the training text has 20,000,001 tokens, at most 20,000,000 can be counted: set it to null"),
        (10, 2**24, 320, "the vocabulary has 16,777,216 words, at most 16,777,214 are possible: set it to null, or vocab.max_size"),
        (10, 100, 1, r"order 4 needs 2 units or more: lower it, or raise model.hidden_size \(1\)"),
    ],
)
def test_what_cannot_be_counted_is_refused_before_the_training(words, vocabulary_size, hidden_size, message):
    train = np.lib.stride_tricks.as_strided(np.zeros(1, np.int32), [1, words], [0, 0])  # no memory
    batches = Batches("stream", 1, 5, vocabulary_size, {}, "", train, {}, {})
    tied = {"model.tie_weights": False, "model.hidden_size": hidden_size}
    with pytest.raises(SettingError, match=f"^params.yaml: model.ngrams: {message}$"):
        ngram_member.check(settings(**tied), batches)
    ngram_member.check(settings(**tied, **{"model.ngrams": None}), batches)


def test_ngrams_are_mixed_only_once():
    with pytest.raises(UserError, match="would mix n-grams twice: set one of them to null"):
        settings(**{"evaluate_sample.ngram_mixture": "auto"})
