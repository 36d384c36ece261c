import math
from itertools import pairwise

import numpy as np
import pytest

from lstm_lm.evaluation.details.nearest_words import FIRST_RANK, choose_words, nearest_words

WORDS = ["<unk>", "king", "queen", "the", "of"]


def test_neighbors_match_plain_cosines():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=[40, 6]).astype(np.float32)
    words = ["<unk>", *(f"w{i}" for i in range(1, 40))]
    for row in nearest_words(embedding, words, [3, 17], 8):
        i = words.index(row["word"])
        cosines = {
            words[j]: sum(embedding[i] * embedding[j]) / math.sqrt(sum(embedding[i] ** 2) * sum(embedding[j] ** 2))
            for j in range(1, 40)
            if j != i
        }
        expected = sorted(cosines, key=lambda word: -cosines[word])[:8]
        assert [neighbor["word"] for neighbor in row["neighbours"]] == expected
        assert [neighbor["similarity"] for neighbor in row["neighbours"]] == pytest.approx([cosines[word] for word in expected], abs=1e-5)


def test_a_small_vocabulary_has_fewer_neighbors_and_a_zero_vector_is_similar_to_none():
    embedding = np.array([[9, 9], [1, 0], [2, 0.1], [0, 1], [0, 0]], np.float32)
    [row] = nearest_words(embedding, WORDS, [1])
    assert [(near["word"], round(near["similarity"], 3)) for near in row["neighbours"]] == [("queen", 0.999), ("the", 0), ("of", 0)]
    assert nearest_words(embedding[:2], WORDS[:2], [1]) == [{"word": "king", "neighbours": []}]


def test_chosen_words_are_frequent_content_words_spread_over_their_ranks():
    words = ["<unk>", *(f"the{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(3000))]
    words[200], words[201], words[202] = "it", "o'er", "twenty-2"
    counts = np.array([0, *range(3019, 19, -1)])
    counts[2500:] = 19
    ids = choose_words(words, counts)
    assert len(ids) == 12
    assert ids[0] == FIRST_RANK + 1
    assert ids[-1] == 2499
    assert ids == sorted(set(ids))
    assert all(words[i].isalpha() and len(words[i]) >= 4 and counts[i] >= 20 for i in ids)
    distances = np.diff(ids)
    assert all(later >= earlier for earlier, later in pairwise(distances[4:]))


@pytest.mark.parametrize(("vocabulary", "expected"), [(1, []), (2, [1]), (5, [1, 2, 3, 4]), (13, list(range(1, 13)))])
def test_a_small_vocabulary_is_taken_as_it_is(vocabulary, expected):
    words = ["<unk>", *"abcdefghijkl"][:vocabulary]
    assert choose_words(words, np.ones(vocabulary, int)) == expected
