"""`score_texts` and `next_words` of the SavedModel against the plain model, for each unit of the vocabulary."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from conftest import TINY_VOCABULARY, make_tiny_model
from lstm_lm.export.text_model import TextModel, save_vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from plain import PlainModel, log_softmax

pytestmark = pytest.mark.slow  # tracing takes seconds
SUBWORDS = ("\u2581", "t", "h", "e", "k", "i", "n", "g", "\u2581t", "\u2581th", "\u2581the")
UNITS = {
    "word": (TINY_VOCABULARY, Tokenizer(True, "-'")),
    "char": (["<unk>", " ", *"thekingabor"], Tokenizer(True, "-'", unit="char")),
    "subword": (["<unk>", *SUBWORDS], Tokenizer(True, "-'", unit="subword", subwords=SUBWORDS)),
}
TEXTS = ["The king", "the", "", "the zork the", "King and the king and thou"]


@pytest.fixture(scope="module")
def of_unit(tmp_path_factory):
    """A function that returns (tokens, Tokenizer, TextModel, plain model) of a unit. Each is made once."""

    @functools.cache
    def make(unit):
        tokens, tokenizer = UNITS[unit]
        words = save_vocabulary(tokens, tmp_path_factory.mktemp(unit) / "vocabulary.txt")
        model = make_tiny_model(vocabulary_size=len(tokens))
        return tokens, tokenizer, TextModel(model, tokenizer, words), PlainModel.from_model(model)

    return make


def ids_of(text, tokens, tokenizer):
    return [tokens.index(token) if token in tokens else 0 for token in tokenizer.tokenize(text)]


def read(plain, ids):
    """The log probabilities of all words after each of some ids: a list of [vocabulary]."""
    state, found = plain.initial_state(1), []
    for number in ids:
        logits, state = plain.step(np.array([number]), state)
        found.append(log_softmax(logits)[0])
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_the_scores_are_those_of_the_plain_model(of_unit, unit):
    tokens, tokenizer, text_model, plain = of_unit(unit)
    scored = {name: value.numpy() for name, value in text_model.score_texts(tf.constant(TEXTS)).items()}
    longest = max(len(tokenizer.tokenize(text)) for text in TEXTS)
    assert {value.shape for value in scored.values()} == {(len(TEXTS), longest)}
    for row, text in enumerate(TEXTS):
        ids = ids_of(text, tokens, tokenizer)
        assert scored["ids"][row].tolist() == ids + [-1] * (longest - len(ids))
        named = [token if unit == "word" or number else "<unk>" for token, number in zip(tokenizer.tokenize(text), ids, strict=True)]
        assert [token.decode() for token in scored["tokens"][row]] == named + [""] * (longest - len(ids))
        nats = [np.nan, *(-after[target] for after, target in zip(read(plain, ids), ids[1:], strict=False))][: len(ids)]
        np.testing.assert_allclose(scored["nats"][row], nats + [np.nan] * (longest - len(ids)), rtol=1e-4)
    assert 0 in scored["ids"]  # some words are unknown


@pytest.mark.parametrize("texts", [[""], []])
def test_nothing_to_score_has_no_tokens(of_unit, texts):
    scored = of_unit("word")[2].score_texts(tf.constant(texts, tf.string))
    assert {tuple(value.shape) for value in scored.values()} == {(len(texts), 0)}


@pytest.mark.parametrize("unit", UNITS)
def test_the_next_words_are_those_of_the_plain_model(of_unit, unit):
    tokens, tokenizer, text_model, plain = of_unit(unit)
    k = 4
    found = {name: value.numpy() for name, value in text_model.next_words(tf.constant(TEXTS), tf.constant(k)).items()}
    for row, text in enumerate(TEXTS):
        after = read(plain, ids_of(text, tokens, tokenizer) or [0])[-1]  # a prompt without any word starts from <unk>
        best = np.argsort(-after[1:])[:k] + 1
        assert found["ids"][row].tolist() == best.tolist()
        assert [word.decode() for word in found["words"][row]] == [tokens[number] for number in best]
        np.testing.assert_allclose(found["log_probabilities"][row], after[best], rtol=1e-4)
        np.testing.assert_allclose(found["unknown"][row], after[0], rtol=1e-4)


def test_all_next_words_and_unknown_ones_make_up_everything(of_unit):
    tokens, _, text_model, _ = of_unit("word")
    found = text_model.next_words(tf.constant(["thou art"]), tf.constant(len(tokens) - 1))
    total = np.exp(found["log_probabilities"].numpy()).sum() + np.exp(found["unknown"].numpy()[0])
    assert total == pytest.approx(1, rel=1e-5)
