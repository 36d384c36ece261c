"""What a token is: text to tokens, and tokens back to text."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import regex

from lstm_lm.text.tokenization import bpe, rules
from lstm_lm.text.tokenization.rules import LINE_END, UNKNOWN


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
        newlines: each is a word, `<eos>`.
        unit: word, char or subword.
        subwords: those that pieces of text are cut into, as bpe.learn gives them.
    """

    lowercase: bool
    keep_punctuation: str
    punctuation: str = "drop"
    newlines: bool = False
    unit: str = "word"
    subwords: tuple = ()

    @property
    def plain_words(self):
        """Whether words are runs of characters between separators, and nothing else."""
        return self.punctuation == "drop" and not self.newlines

    @property
    def rules_before_lower_case(self):
        """[(pattern, replacement), ...], applied in order."""
        return rules.before_lower_case(self.punctuation, self.newlines)

    @property
    def rules(self):
        """[(pattern, replacement), ...], applied in order after lower-casing; words are then split at single spaces."""
        return rules.words(self.punctuation, self.keep_punctuation, self.newlines)

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
        return LINE_END if self.newlines else ""

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
        return rules.spelling(word, self.punctuation, self.newlines)

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
        if token == LINE_END and self.newlines:
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
