"""Which words are known, and words <-> ids."""

import csv
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lstm_lm.text.tokenization.symbols import UNKNOWN

UNKNOWN_ID = 0


class Vocabulary:
    """Words and their ids: id 0 is `<unk>`, then by falling count, ties alphabetical."""

    def __init__(self, words: Iterable[str]) -> None:
        """words: words[0] is `<unk>`; no word occurs twice."""
        self.words = list(words)
        if not self.words or self.words[0] != UNKNOWN or len(set(self.words)) != len(self.words):
            raise ValueError(f"a vocabulary starts with {UNKNOWN} and holds no word twice")

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def encode(self, words: Iterable[str]) -> npt.NDArray[np.int32]:
        """The ids of words, int32 [words]; that of `<unk>` for a word that is not in the vocabulary."""
        return np.array([self._ids.get(word, UNKNOWN_ID) for word in words], np.int32)

    def save(self, path: Path | str, counts: npt.NDArray[np.int64]) -> None:
        """Write `id,word,count` as CSV."""
        write_csv(path, ("id", "word", "count"), zip(range(len(self)), self.words, counts, strict=True))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote."""
        return cls(load_counts(path)[0])


class CountedVocabulary(NamedTuple):
    """What `build_vocabulary` returns.

    Attributes:
        vocabulary: the words that are known.
        counts: int64 [len(vocabulary)], occurrences of each in the training text; the first is that of all other words together.
        order: int64, indices of all counted words in the order of their ids from id 1 on: the known words, then the others, both by
            falling count, ties alphabetical. Without `<unk>`, where the text itself uses it.
    """

    vocabulary: Vocabulary
    counts: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]


def build_vocabulary(
    words: list[bytes],
    counts: npt.NDArray[np.int64],
    *,
    min_count: int,
    max_size: int | None,
    text_has_unknown: bool = False,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> CountedVocabulary:
    """Choose the words that are known.

    Args:
        words: all words in UTF-8, none twice.
        counts: [words], occurrences of each in the training text.
        min_count: words that occur less often are unknown.
        max_size: how many words are known at most, `<unk>` not counted; None: no limit.
        text_has_unknown: whether `<unk>` in the text is the token of unknown words, as in prepared corpora. If not, it is one of the
            unknown words, and is not counted.
        allowed: bool [words], which may be known; None: all.
    """
    # UTF-8 sorts as its characters do.
    alphabetical = np.array(sorted(range(len(words)), key=words.__getitem__), np.int64)
    order = alphabetical[np.argsort(-counts[alphabetical], kind="stable")]
    is_unknown_token = np.array([word == UNKNOWN.encode() for word in words], bool)
    may_be_known = (counts >= min_count) & ~is_unknown_token
    if allowed is not None:
        may_be_known &= allowed
    known = order[may_be_known[order]][:max_size]

    is_known = np.zeros(len(words), bool)
    is_known[known] = True
    has_own_id = ~(is_unknown_token & text_has_unknown)
    unknown_count = counts[~is_unknown_token | text_has_unknown].sum() - counts[known].sum()
    return CountedVocabulary(
        Vocabulary([UNKNOWN, *[words[i].decode() for i in known]]),
        np.array([unknown_count, *counts[known]], np.int64),
        np.concatenate([known, order[(~is_known & has_own_id)[order]]]),
    )


def read_tokens(path: Path | str) -> list[str]:
    """The lines of a file with one token a line."""
    # `splitlines` would also split at characters that may be tokens.
    return Path(path).read_bytes().decode("utf-8").split("\n")[:-1]


def load_counts(path: Path | str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Read what `Vocabulary.save` wrote: the words, and int64 [words], their occurrences in the training text."""
    csv.field_size_limit(2**31 - 1)  # a word may have any length
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["word"] for row in rows], np.array([int(row["count"]) for row in rows], np.int64)


def write_csv(path: Path | str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file with a header, its lines ended by LF."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
