"""What a word is, and words <-> ids."""

import csv
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import regex

from lstm_lm import bpe, text_rules
from lstm_lm.text_rules import LINE_END, UNKNOWN

UNKNOWN_ID = 0


@dataclass(frozen=True)
class Tokenizer:
    """Cuts text into tokens: words, characters or subwords.

    With `punctuation` drop a word is a run of letters, combining marks, digits and kept punctuation with at least one letter or digit in
    it. Everything else, line ends included, separates words, and so do two or more hyphens in a row, which are a dash. With separate
    each mark is a word, with as_is words are what stands between white space. text_rules.py has the rules, which the SavedModel's graph
    applies too.

    Characters and subwords are those of the words, put together with a space before each that does not touch the one before it. So the
    three are three ways to write one text.

    Attributes:
        lowercase: "The" and "the" are one word.
        keep_punctuation: marks that stay inside words; not looked at with as_is.
        punctuation: drop, separate or as_is.
        line_ends: each is a word, `<eos>`.
        unit: word, char or subword.
        subwords: those that pieces of text are cut into, as bpe.learn gives them.
    """

    lowercase: bool
    keep_punctuation: str
    punctuation: str = "drop"
    line_ends: bool = False
    unit: str = "word"
    subwords: tuple = ()

    @property
    def plain_words(self):
        """Whether words are runs of characters between separators, and nothing else."""
        return self.punctuation == "drop" and not self.line_ends

    @property
    def rules_before_lower_case(self):
        """[(pattern, replacement), ...], applied in order."""
        return text_rules.before_lower_case(self.punctuation, self.line_ends)

    @property
    def rules(self):
        """[(pattern, replacement), ...], applied in order after lower-casing; words are then split at single spaces."""
        return text_rules.words(self.punctuation, self.keep_punctuation, self.line_ends)

    @cached_property
    def _compiled(self):
        return [
            [(regex.compile(pattern), replacement) for pattern, replacement in rules]
            for rules in (self.rules_before_lower_case, self.rules)
        ]

    def words(self, text):
        """`str` -> list of words, whatever the unit."""
        before, after = self._compiled
        for pattern, replacement in before:
            text = pattern.sub(replacement, text)
        if self.lowercase:
            text = text.lower()
        for pattern, replacement in after:
            text = pattern.sub(replacement, text)
        return text.split()

    def __call__(self, text):
        """`str` -> list of tokens."""
        words = self.words(text)
        if self.unit == "word":
            return words
        return [token for piece in self.pieces(words, self.start) for token in self.cut(piece)]

    @property
    def start(self):
        """What stands before a document's first word: a line end, if those are words."""
        return LINE_END if self.line_ends else ""

    def pieces(self, words, after):
        """Words as they are written: list of str, each with a space in front if one goes there.

        A subword that begins a word says so by that space, at the start of a line too.

        Args:
            words: list of str.
            after: the word before them, or "".
        """
        pieces, of_subwords = [], self.unit == "subword"
        touched = self._spelling(after)[2] and not (of_subwords and after == LINE_END)
        for word in words:
            text, touches_left, touches_right = self._spelling(word)
            spelt = of_subwords and word == UNKNOWN  # it stands in the text as the token that it is
            pieces.append(text if touches_left or touched or spelt else f" {text}")
            touched = touches_right and not (of_subwords and word == LINE_END)
        return pieces

    def cut(self, piece):
        """One of `pieces` -> list of tokens, characters or subwords."""
        if self.unit == "char":
            return [LINE_END if character == "\n" else character for character in piece]
        if piece in ("\n", UNKNOWN):
            return [LINE_END if piece == "\n" else UNKNOWN]
        return bpe.cut(piece, self._ranks)

    def join(self, tokens, after=""):
        """The text of tokens, to be put right behind what it goes on from: with a space in front if one goes there.

        Args:
            tokens: list of str.
            after: the token before them, or "".
        """
        if self.unit == "word":
            return "".join(self.pieces(tokens, after))
        text = "".join("\n" if token == LINE_END else token for token in tokens)
        if self.unit == "subword":
            text = text.replace(bpe.SPACE, " ").replace("\n ", "\n")
            text = text.removeprefix(" ") if after == LINE_END else text
        return text

    def _spelling(self, word):
        return text_rules.spelling(word, self.punctuation, self.line_ends)

    @cached_property
    def _ranks(self):
        return {subword: rank for rank, subword in enumerate(self.subwords)}

    def written(self, token):
        """How a token is written: (number of characters, the space before it not counted; whether there is none, as it touches what is
        before it; whether there is none after it).
        """
        if self.unit == "word":
            text, *touches = self._spelling(token)
            return len(text), *touches
        if token == LINE_END and self.line_ends:
            return 1, True, True
        if token == UNKNOWN:
            return len(token), False, False
        begins = self.unit == "subword" and token.startswith(bpe.SPACE)
        return len(token) - begins, not begins, False

    def save(self, path):
        Path(path).write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path):
        about = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(**about | {"subwords": tuple(about["subwords"])})


class Vocabulary:
    """Words and their ids: id 0 is `<unk>`, then by falling count, ties alphabetical."""

    def __init__(self, words):
        """words: list of str, words[0] is `<unk>`, none twice."""
        self.words = list(words)
        if not self.words or self.words[0] != UNKNOWN or len(set(self.words)) != len(self.words):
            raise ValueError(f"a vocabulary starts with {UNKNOWN} and holds no word twice")

    def __len__(self):
        return len(self.words)

    @cached_property
    def _ids(self):
        return {word: i for i, word in enumerate(self.words)}

    def encode(self, words):
        """List of words -> ids, int32 [len(words)]; a word that is not in the vocabulary becomes 0."""
        return np.array([self._ids.get(word, UNKNOWN_ID) for word in words], np.int32)

    @classmethod
    def build(cls, words, counts, min_count, max_size, unknown_is_a_word=False, may_be_kept=None):
        """The vocabulary of a count.

        Args:
            words: list of bytes, words in UTF-8, none twice.
            counts: int [words], how often each occurs in the training text.
            min_count: words seen less often are left out.
            max_size: most words kept besides `<unk>`, or None.
            unknown_is_a_word: whether a word that is spelt `<unk>` is the token that stands for unknown words, as in texts that were
                prepared with it. Else it is one of the unknown words, which is counted for nothing.
            may_be_kept: bool [words], or None: all may.
        Returns:
            (Vocabulary; kept counts: int64 [len(vocabulary)], the first that of all words left out; order: int64 [words], the
            places of the kept words, then those of the others, both by falling count, ties alphabetical; without that of `<unk>`,
            if it is a word)
        """
        # UTF-8 sorts as its characters do.
        alphabetical = np.array(sorted(range(len(words)), key=words.__getitem__), np.int64)
        order = alphabetical[np.argsort(-counts[alphabetical], kind="stable")]
        spelt = np.array([word == UNKNOWN.encode() for word in words], bool)
        candidates = order[(counts[order] >= min_count) & ~spelt[order] & (may_be_kept is None or may_be_kept[order])]
        kept = candidates[:max_size]
        is_kept = np.zeros(len(words), bool)
        is_kept[kept] = True
        unknown = int(counts[~spelt | unknown_is_a_word].sum() - counts[kept].sum())
        order = np.concatenate([kept, order[~is_kept[order] & ~(spelt[order] & unknown_is_a_word)]])
        return cls([UNKNOWN, *[words[i].decode() for i in kept]]), np.array([unknown, *counts[kept]], np.int64), order

    def save(self, path, counts):
        """Write `id,word,count` as CSV."""
        _write_csv(path, ("id", "word", "count"), zip(range(len(self)), self.words, counts, strict=True))

    @classmethod
    def load(cls, path):
        return cls(load_counts(path)[0])


def tokens(path):
    """The lines of a file with one token a line. Not by `splitlines`: a token may be a character at which that would cut."""
    return Path(path).read_bytes().decode("utf-8").split("\n")[:-1]


def load_counts(path):
    """What `Vocabulary.save` wrote: (words, list of str; int64 [words], their occurrences in the training text)."""
    csv.field_size_limit(2**31 - 1)  # a word may be of any length
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["word"] for row in rows], np.array([int(row["count"]) for row in rows], np.int64)


def coverage(counts, points=60):
    """Share of the training text that the n most frequent words make up.

    Args:
        counts: int [words], occurrences of all words of the text.
        points: about how many sizes to report, evenly spread on a logarithmic scale.
    Returns:
        (sizes: int [about points], shares: float [about points])
    """
    falling = np.sort(counts)[::-1]
    sizes = np.unique(np.geomspace(1, len(falling), points).astype(int))
    return sizes, (np.cumsum(falling)[sizes - 1] / falling.sum()).round(6)


def save_coverage(path, counts):
    """Write `coverage` as CSV: vocabulary_size,coverage."""
    sizes, shares = coverage(counts)
    _write_csv(path, ("vocabulary_size", "coverage"), zip(sizes.tolist(), shares.tolist(), strict=True))


def _write_csv(path, columns, rows):
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
