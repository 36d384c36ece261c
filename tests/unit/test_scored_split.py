import numpy as np
import pytest

from lstm_lm.evaluation.details.scored_split import ScoredSplit

NAMES = ["a.txt", "one word.txt", "b.txt"]
IDS = [np.array([4, 1, 0, 2]), np.array([3]), np.array([2, 2, 1])]
LOSS = [np.array([1.0, 2.0, 6.0]), np.zeros(0), np.array([4.0, 5.0])]
SPLIT = ScoredSplit(NAMES, IDS, {"loss": LOSS, "unigram_loss": None})


def test_each_document_has_its_mean_and_a_document_without_scored_words_has_none():
    assert SPLIT.by_document() == [
        {"name": "a.txt", "words": 3, "loss": 3.0, "unigram_loss": None},
        {"name": "one word.txt", "words": 0, "loss": None, "unigram_loss": None},
        {"name": "b.txt", "words": 2, "loss": 4.5, "unigram_loss": None},
    ]


def test_scored_words_are_all_but_the_first_with_their_positions():
    assert SPLIT.targets.tolist() == [1, 0, 2, 2, 1]
    assert SPLIT.positions.tolist() == [1, 2, 3, 1, 2]


def test_groups_match_a_plain_loop():
    rng = np.random.default_rng(1)
    ids = [rng.integers(0, 9, size) for size in (40, 2, 100)]
    costs = {name: [rng.exponential(2, len(document) - 1) for document in ids] for name in ("loss", "kneser_ney_loss")}
    split = ScoredSplit(["a", "b", "c"], ids, costs)
    groups = split.targets % 4
    for group, row in enumerate(split.group(groups, 4)):
        for name, documents in costs.items():
            values = [
                cost
                for document, of in zip(ids, documents, strict=True)
                for word, cost in zip(document[1:], of, strict=True)
                if word % 4 == group
            ]
            assert row["words"] == len(values)
            assert row[name] == pytest.approx(sum(values) / len(values))


def test_a_split_without_documents_has_no_words():
    empty = ScoredSplit([], [], {"loss": []})
    assert (empty.by_document(), empty.targets.tolist(), empty.group(empty.targets, 1)) == ([], [], [{"words": 0, "loss": None}])
