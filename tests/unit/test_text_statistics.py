import math

import numpy as np
import pytest

from lstm_lm.evaluation import text_statistics
from lstm_lm.evaluation.ngrams import NgramTable


def ids(texts):
    """Texts of letters, one a word."""
    return [np.array([ord(letter) - ord("a") for letter in text], np.int32) for text in texts]


def test_repetition_of_hand_computed_examples():
    # abc, bca, cab, abc, bca: 5 trigrams, 3 of them different. A text too short for any does not count.
    assert text_statistics.repetition(ids(["abcabca"]), 3) == pytest.approx(2 / 5)
    assert text_statistics.repetition(ids(["abcabca", "ab", "abcdefg"]), 3) == pytest.approx(1 / 5)
    assert text_statistics.repetition(ids(["aaaaaaaaa"]), 4) == pytest.approx(5 / 6)
    assert text_statistics.repetition(ids(["abcdabc", "abcdabc"]), 4) == 0  # within a text, not between texts
    assert math.isnan(text_statistics.repetition(ids(["abc"]), 4))


def test_distinct_of_hand_computed_examples():
    # 7 words: a b c d; ab bc ca from the one text, ad from the other, and no n-gram across the two.
    table = NgramTable(ids(["abcab", "ad"]), 26, 8)
    assert text_statistics.distinct(table, 1) == pytest.approx(4 / 7)
    assert text_statistics.distinct(table, 2) == pytest.approx(4 / 7)
    assert text_statistics.distinct(NgramTable(ids(["aaaa"]), 26, 2), 2) == pytest.approx(1 / 4)
    assert math.isnan(text_statistics.distinct(NgramTable([], 26, 8), 1))


def test_copies_of_a_hand_computed_example():
    training = ids(["xxabcdexx", "efgh", "h"])
    # Of abcdefgh the trigrams abc bcd cde efg fgh are there, def is not: it goes across two documents. zabc has one of two.
    shares = text_statistics.copied_fractions(NgramTable(ids(["abcdefgh", "zabc"]), 26, 4), training)
    assert shares[2] == pytest.approx(6 / 8)
    assert shares[3] == pytest.approx(3 / 6)  # abcd bcde, and efgh
    # An n-gram counts as often as the texts hold it.
    assert text_statistics.copied_fractions(NgramTable(ids(["ababab", "zz"]), 26, 2), ids(["cab"]))[1] == pytest.approx(3 / 6)


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
def test_copies_are_those_of_a_plain_search_whatever_the_blocks(monkeypatch, block):
    monkeypatch.setattr(text_statistics, "BLOCK", block)
    draw = np.random.default_rng(1)
    training = [draw.integers(0, 4, length) for length in (60, 3, 40, 0)]
    texts = [draw.integers(0, 4, length) for length in (30, 9, 2)]
    found = text_statistics.copied_fractions(NgramTable(texts, 4, 8), training)
    for n in range(1, 9):
        there = {tuple(document[i : i + n]) for document in training for i in range(len(document) - n + 1)}
        ngrams = [tuple(text[i : i + n]) for text in texts for i in range(len(text) - n + 1)]
        assert found[n - 1] == pytest.approx(np.mean([ngram in there for ngram in ngrams]))


def test_a_copy_is_all_copied_and_other_words_are_none():
    training = [np.arange(100), np.arange(50, 80)]
    found = text_statistics.text_statistics([np.arange(20, 60), np.arange(0, 30)], training, 200)
    assert (found["words"], found["copied_4"], found["copied_8"], found["repetition_4"]) == (70, 1, 1, 0)
    found = text_statistics.text_statistics([np.arange(100, 140)], training, 200)
    assert (found["copied_4"], found["copied_8"], found["distinct_1"]) == (0, 0, 1)


def test_pieces_are_of_one_length_and_do_not_overlap():
    documents = [np.arange(100, 125), np.arange(200, 209), np.arange(300, 330)]
    pieces = text_statistics.sample_pieces(documents, 10, 100)
    assert [(piece[0], piece[-1]) for piece in pieces] == [(100, 109), (110, 119), (300, 309), (310, 319), (320, 329)]
    assert [piece[0] for piece in text_statistics.sample_pieces(documents, 10, 3)] == [100, 300, 320]
    assert [len(piece) for piece in text_statistics.sample_pieces(documents, 1000, 3)] == [30]
