import math

import numpy as np
import pytest

from lstm_lm.evaluation.details.passage import Stretch, WrittenToken, choose_passage, describe_passage
from lstm_lm.evaluation.details.scored_split import ScoredSplit

STOP = 7


def split_of(*documents):
    return ScoredSplit(
        [f"{i}.txt" for i in range(len(documents))],
        [np.array(document) for document in documents],
        {"loss": [np.arange(1, len(document)) / 10 for document in documents], "kneser_ney_loss": None},
    )


def test_the_passage_is_the_middle_of_the_longest_readable_document():
    split = split_of([1] * 50, [1] * 101, [1] * 200)
    assert choose_passage(split, [True, True, False], [], 20) == Stretch(1, 40, 60)
    assert choose_passage(split, [False] * 3, [], 20) == Stretch(2, 90, 110)


def test_the_passage_starts_after_the_end_of_a_sentence_if_one_is_near():
    document = [1] * 101
    document[44] = STOP
    assert choose_passage(split_of(document), [True], [STOP], 20) == Stretch(0, 45, 65)
    document[39] = STOP  # the passage already starts there
    assert choose_passage(split_of(document), [True], [STOP], 20) == Stretch(0, 40, 60)
    document = [1] * 101
    document[70] = STOP  # too far away
    assert choose_passage(split_of(document), [True], [STOP], 20) == Stretch(0, 40, 60)


@pytest.mark.parametrize("words", [2, 3, 19, 20, 21, 22, 30])
def test_a_short_document_is_shown_as_a_whole_and_its_first_word_never(words):
    stretch = choose_passage(split_of([STOP] * words), [True], [STOP], 20)
    assert stretch is not None
    assert 1 <= stretch.start < stretch.stop <= words
    assert stretch.stop - stretch.start == min(20, words - 1)


def test_without_scored_words_there_is_no_passage():
    assert choose_passage(split_of([1]), [True], [], 20) is None
    assert choose_passage(split_of(), [], [], 20) is None


def test_each_word_has_its_own_cost_in_bits():
    costs, baseline = [np.log([2.0, 4.0, 8.0])], [np.log([16.0, 2.0, 1.0])]
    split = ScoredSplit(["a.txt"], [np.array([5, 0, 6, 7])], {"loss": costs, "kneser_ney_loss": baseline})
    tokens = [WrittenToken("thou", True), WrittenToken(",", False)]
    assert describe_passage(split, Stretch(0, 1, 3), tokens) == {
        "document": "a.txt",
        "start": 1,
        "words": [
            {"text": "thou", "space_before": True, "bits": pytest.approx(1), "kneser_ney_bits": pytest.approx(4), "known": False},
            {"text": ",", "space_before": False, "bits": pytest.approx(2), "kneser_ney_bits": pytest.approx(1), "known": True},
        ],
    }
    [word] = describe_passage(split_of([1, 2]), Stretch(0, 1, 2), tokens[:1])["words"]
    assert (word["bits"], word["kneser_ney_bits"]) == (pytest.approx(0.1 / math.log(2)), None)
