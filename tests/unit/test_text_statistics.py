import math

import numpy as np
import pytest

from lstm_lm.evaluation import text_statistics
from lstm_lm.evaluation.ngrams import NgramTable


def ids(texts):
    """Ids of texts in which each letter is a word."""
    return [np.array([ord(letter) - ord("a") for letter in text], np.int32) for text in texts]


def test_repetition_matches_hand_computed_examples():
    # abc, bca, cab, abc, bca: 5 trigrams, 3 of them distinct. A text shorter than n words does not count.
    assert text_statistics.repetition(ids(["abcabca"]), 3) == pytest.approx(2 / 5)
    assert text_statistics.repetition(ids(["abcabca", "ab", "abcdefg"]), 3) == pytest.approx(1 / 5)
    assert text_statistics.repetition(ids(["aaaaaaaaa"]), 4) == pytest.approx(5 / 6)
    assert text_statistics.repetition(ids(["abcdabc", "abcdabc"]), 4) == 0  # repetition is counted within a text, not between texts
    assert math.isnan(text_statistics.repetition(ids(["abc"]), 4))


def test_distinct_matches_hand_computed_examples():
    # 7 words, 4 of them distinct. The distinct bigrams are ab, bc, ca and ad; no n-gram spans two texts.
    table = NgramTable(ids(["abcab", "ad"]), 26, 8)
    assert text_statistics.distinct(table, 1) == pytest.approx(4 / 7)
    assert text_statistics.distinct(table, 2) == pytest.approx(4 / 7)
    assert text_statistics.distinct(NgramTable(ids(["aaaa"]), 26, 2), 2) == pytest.approx(1 / 4)
    assert math.isnan(text_statistics.distinct(NgramTable([], 26, 8), 1))


def test_copied_fractions_match_a_hand_computed_example():
    training = ids(["xxabcdexx", "efgh", "h"])
    # Of the trigrams of abcdefgh, all but def occur within a training document. Of those of zabc, one of two does.
    fractions = text_statistics.copied_fractions(NgramTable(ids(["abcdefgh", "zabc"]), 26, 4), training)
    assert fractions[2] == pytest.approx(6 / 8)
    assert fractions[3] == pytest.approx(3 / 6)  # abcd, bcde and efgh
    # Each occurrence of an n-gram counts.
    assert text_statistics.copied_fractions(NgramTable(ids(["ababab", "zz"]), 26, 2), ids(["cab"]))[1] == pytest.approx(3 / 6)


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
def test_copied_fractions_match_a_plain_search_for_every_block_size(monkeypatch, block):
    monkeypatch.setattr(text_statistics, "BLOCK", block)
    rng = np.random.default_rng(1)
    training = [rng.integers(0, 4, length) for length in (60, 3, 40, 0)]
    texts = [rng.integers(0, 4, length) for length in (30, 9, 2)]
    fractions = text_statistics.copied_fractions(NgramTable(texts, 4, 8), training)
    for n in range(1, 9):
        training_ngrams = {tuple(document[i : i + n]) for document in training for i in range(len(document) - n + 1)}
        ngrams = [tuple(text[i : i + n]) for text in texts for i in range(len(text) - n + 1)]
        assert fractions[n - 1] == pytest.approx(np.mean([ngram in training_ngrams for ngram in ngrams]))


def test_a_copied_text_counts_as_copied_and_new_words_do_not():
    training = [np.arange(100), np.arange(50, 80)]
    statistics = text_statistics.text_statistics([np.arange(20, 60), np.arange(0, 30)], training, 200)
    assert (statistics["words"], statistics["copied_4"], statistics["copied_8"], statistics["repetition_4"]) == (70, 1, 1, 0)
    statistics = text_statistics.text_statistics([np.arange(100, 140)], training, 200)
    assert (statistics["copied_4"], statistics["copied_8"], statistics["distinct_1"]) == (0, 0, 1)


def test_pieces_have_equal_lengths_and_do_not_overlap():
    documents = [np.arange(100, 125), np.arange(200, 209), np.arange(300, 330)]
    pieces = text_statistics.sample_pieces(documents, 10, 100)
    assert [(piece[0], piece[-1]) for piece in pieces] == [(100, 109), (110, 119), (300, 309), (310, 319), (320, 329)]
    assert [piece[0] for piece in text_statistics.sample_pieces(documents, 10, 3)] == [100, 300, 320]
    assert [len(piece) for piece in text_statistics.sample_pieces(documents, 1000, 3)] == [30]
