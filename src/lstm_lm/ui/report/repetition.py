"""How much a text repeats itself, for texts as people read them: words stand between spaces, whatever a token of the model is."""

from collections.abc import Sequence

ORDER = 4  # words of an n-gram


def words(text: str) -> list[str]:
    """Split a text at its spaces and newlines."""
    return text.split()


def repeated_fraction(text: str) -> float:
    """Return the fraction of a text's 4-grams that occurred earlier in it: seq-rep-4 (Welleck et al. 2020); 0 for fewer than 4 words."""
    ngrams = _ngrams(words(text))
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def is_repeated(text: str) -> list[bool]:
    """Return for each word whether it is in a 4-gram that occurred earlier in the text."""
    tokens = words(text)
    marks, seen = [False] * len(tokens), set()
    for i, ngram in enumerate(_ngrams(tokens)):
        if ngram in seen:
            marks[i : i + ORDER] = [True] * ORDER
        seen.add(ngram)
    return marks


def _ngrams(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + ORDER]) for i in range(len(tokens) - ORDER + 1)]
