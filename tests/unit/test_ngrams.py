import numpy as np
import pytest

from lstm_lm.evaluation import ngrams
from lstm_lm.evaluation.ngrams import KneserNey, NgramTable, Unigram
from plain import PlainKneserNey


def documents(*lengths, vocabulary=9, seed=3):
    """Documents of random words. Small ids are more frequent, so that n-grams repeat."""
    rng = np.random.default_rng(seed)
    return [np.minimum(rng.geometric(0.35, length) - 1, vocabulary - 1).astype(np.int32) for length in lengths]


@pytest.mark.parametrize("order", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("lengths", [(40,), (300, 2, 1, 0, 500), (3, 4), (1, 1)])
def test_kneser_ney_matches_the_plain_implementation(order, lengths):
    training, held_out = documents(*lengths), documents(60, 1, 0, 25, vocabulary=10, seed=4)  # with a word that does not occur in training
    fast, plain = KneserNey(training, 11, order), PlainKneserNey(training, 11, order)
    np.testing.assert_allclose(fast.discounts, plain.discounts)
    for nats, document in zip(fast.nats(held_out), held_out, strict=True):
        assert len(nats) == max(len(document) - 1, 0)
        np.testing.assert_allclose(nats, plain.nats(document), rtol=1e-12)
    for context in ((), (0,), (3, 0), (0, 0, 0, 1), (0, 1, 0, 0, 0, 1), (10, 10), (10, 0)):
        np.testing.assert_allclose(fast.probabilities(context), [plain.probability(word, context) for word in range(11)], rtol=1e-12)


def test_discounts_of_a_long_text_are_estimated_from_counts_of_counts():
    fast = KneserNey(documents(3000, 2000, vocabulary=60), 60, 3)
    assert not np.allclose(fast.discounts[2], ngrams.FALLBACK_DISCOUNTS)
    assert (np.diff(fast.discounts[2]) > 0).all()


def test_probabilities_are_positive_and_sum_to_one_after_any_context():
    training = documents(700, 30, vocabulary=20)
    model = KneserNey(training, 25, 4)
    end = training[0][-3:]  # may occur nowhere else, so that no word follows it
    for context in ((), (1,), (24,), (24, 1), (0, 1, 0), (0, 0, 0, 0, 0), end, *np.random.default_rng(0).integers(0, 25, [50, 3])):
        probabilities = model.probabilities(context)
        assert probabilities.sum() == pytest.approx(1, abs=1e-12)
        assert probabilities.min() > 0


def test_a_hand_computed_bigram_model():
    # Three documents: a b a b a c, b, and c. The ids are a 0, b 1 and c 2; id 3 does not occur.
    model = KneserNey([np.array([0, 1, 0, 1, 0, 2]), np.array([1]), np.array([2])], 4, 2)
    # Two contexts precede each word: the start of a document and b precede a, the start and a precede b and c.
    # All discounts are the fallback discounts.
    a = b = c = (2 - 1) / 6 + (3 * 1 / 6) / 4
    unseen = (3 * 1 / 6) / 4
    np.testing.assert_allclose(model.probabilities([]), [a, b, c, unseen])
    # b follows a twice and c once; D(2) = 1, D(1) = 0.5.
    backoff = (1 + 0.5) / 3
    np.testing.assert_allclose(
        model.probabilities([0]), [backoff * a, (2 - 1) / 3 + backoff * b, (1 - 0.5) / 3 + backoff * c, backoff * unseen]
    )
    np.testing.assert_allclose(model.probabilities([2]), model.probabilities([]))  # no word follows c
    [nats] = model.nats([np.array([2, 0, 1])])
    np.testing.assert_allclose(nats, -np.log([a, (2 - 1) / 3 + backoff * b]))


def test_documents_are_scored_independently():
    training, held_out = documents(500, 300), documents(30, 2, 40, seed=5)
    model = KneserNey(training, 9, 5)
    alone = [model.nats([document])[0] for document in held_out]
    for nats, nats_alone in zip(model.nats(held_out), alone, strict=True):
        np.testing.assert_array_equal(nats, nats_alone)
    assert model.nats([]) == []


def test_the_unigram_model_counts_every_word_and_adds_one():
    model = Unigram([np.array([0, 1, 1]), np.array([1, 2])], 4)
    np.testing.assert_allclose(model.probabilities, [2 / 9, 4 / 9, 2 / 9, 1 / 9])
    nats = model.nats([np.array([3, 1, 3]), np.array([2])])
    np.testing.assert_allclose(nats[0], -np.log([4 / 9, 1 / 9]))
    assert len(nats[1]) == 0


def test_a_table_finds_exactly_the_ngrams_that_both_texts_contain():
    text, other = documents(200, 7, vocabulary=6), documents(50, 90, vocabulary=7, seed=8)
    table = NgramTable(text, 7, 4)
    expected_ngrams = [{tuple(document[i : i + k]) for document in text for i in range(len(document) - k + 1)} for k in range(1, 5)]
    assert [len(keys) for keys in table.keys] == [len(ngrams_of_order) for ngrams_of_order in expected_ngrams]
    for k, rows in enumerate(table.find(*ngrams.concatenate(other)), 1):
        expected = [
            tuple(document[i - k + 1 : i + 1]) in expected_ngrams[k - 1] if i >= k - 1 else False
            for document in other
            for i in range(len(document))
        ]
        assert (rows >= 0).tolist() == expected


def test_a_text_without_words_is_an_error():
    with pytest.raises(ValueError, match="there are no words"):
        KneserNey([], 5, 2)
