"""The words whose vectors are nearest to those of some words: what the embedding has learned about them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

WORDS, NEIGHBORS = 12, 8
FIRST_RANK = 150  # more frequent words mostly have a grammatical function
MIN_LETTERS = 4
MIN_COUNT = 20  # the vectors of rarer words have hardly been trained


def choose_words(words: Sequence[str], counts: np.ndarray, number: int = WORDS) -> list[int]:
    """Choose frequent content words, spread over their ranks.

    They are words of at least MIN_LETTERS letters and nothing else, with at least MIN_COUNT occurrences, that are not among the FIRST_RANK
    most frequent ones; the distances between them grow geometrically. Where these are too few, as with characters, any tokens will do.

    Args:
        words: the vocabulary, in the order of the ids: `<unk>`, then by falling count.
        counts: int [vocabulary], occurrences in the training text.
        number: how many.
    Returns:
        Their ids, the most frequent first; fewer, if there are fewer words.
    """
    candidates = [
        i for i in range(FIRST_RANK + 1, len(words)) if counts[i] >= MIN_COUNT and len(words[i]) >= MIN_LETTERS and words[i].isalpha()
    ]
    if len(candidates) < number:
        candidates = list(range(1, len(words)))
    places: list[int] = []
    for place in np.geomspace(1, max(len(candidates), 1), number).round().astype(int) - 1:
        places.append(max(int(place), places[-1] + 1 if places else 0))
    return [candidates[place] for place in places if place < len(candidates)]


def nearest_words(embedding: np.ndarray, words: Sequence[str], ids: Sequence[int], number: int = NEIGHBORS) -> list[dict[str, Any]]:
    """Find the words with the highest cosine similarity to some words.

    Args:
        embedding: float [vocabulary, width].
        words: the vocabulary, in the order of the ids; `<unk>`, the first, is nobody's neighbor.
        ids: of the words.
        number: of neighbors.
    Returns:
        [{"word": ..., "neighbours": [{"word": ..., "similarity": cosine}]}], the nearest first.
    """
    norms = np.sqrt(np.einsum("ij,ij->i", embedding, embedding, dtype=np.float64))
    rows = []
    for i in ids:
        similarity = embedding @ embedding[i] / np.maximum(norms * norms[i], np.finfo(np.float32).tiny)
        similarity[[0, i]] = -np.inf
        nearest = np.argsort(-similarity, kind="stable")[: max(min(number, len(words) - 2), 0)]
        rows.append({"word": words[i], "neighbours": [{"word": words[j], "similarity": float(similarity[j])} for j in nearest]})
    return rows
