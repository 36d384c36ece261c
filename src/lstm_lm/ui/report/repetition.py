"""How much a text repeats itself, for texts as people read them: words stand between spaces, whatever a token of the model is."""

import re
from collections.abc import Sequence

ORDER = 4  # words of an n-gram


def words(text: str) -> list[str]:
    """Split a text at its spaces and newlines."""
    return text.split()


def repeated_fraction(text: str) -> float:
    """Return the fraction of a text's 4-grams that occurred earlier in it: seq-rep-4 (Welleck et al. 2020); 0 for fewer than 4 words."""
    ngrams = _ngrams(words(text))
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def repeated_spans(text: str) -> list[tuple[int, int]]:
    """Return where words are that belong to a 4-gram which occurred earlier in the text.

    Returns:
        (start, stop) of each stretch of such words in characters, with the white space between them.
    """
    places = [match.span() for match in re.finditer(r"\S+", text)]
    spans: list[tuple[int, int]] = []
    seen, reached = set(), 0  # words before `reached` are marked
    for i, ngram in enumerate(_ngrams([text[start:stop] for start, stop in places])):
        if ngram in seen:
            start, stop = places[i][0], places[i + ORDER - 1][1]
            spans = [*spans[:-1], (spans[-1][0], stop)] if spans and i <= reached else [*spans, (start, stop)]
            reached = i + ORDER
        seen.add(ngram)
    return spans


def _ngrams(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + ORDER]) for i in range(len(tokens) - ORDER + 1)]
