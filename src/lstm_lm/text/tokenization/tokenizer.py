"""What a token is: text to tokens, and tokens back to text."""

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import regex

from lstm_lm.errors import UserError
from lstm_lm.text.tokenization import bpe, normalization, rules, surface
from lstm_lm.text.tokenization.surface import SurfaceForm
from lstm_lm.text.tokenization.symbols import NEWLINE_TOKEN, UNKNOWN, Punctuation, Rule, Unit


class TokenSpacing(NamedTuple):
    """How much room a token takes in a text.

    Attributes:
        length: characters, the space before the token not counted.
        no_space_before, no_space_after: whether there never is a space on this side of the token.
    """

    length: int
    no_space_before: bool
    no_space_after: bool


@dataclass(frozen=True)
class Tokenizer:
    """Splits text into tokens: words, characters or subwords.

    It takes any text and normalizes it itself: Unicode's form NFC, lower case and straight quotes, the same for the text that a model is
    trained on and for its prompts, whatever the locale and the version of Python (see the module normalization).

    With `punctuation` drop a word is a run of letters, combining marks, digits and kept punctuation with at least one letter or digit in
    it. Everything else, newlines included, separates words, and so do two or more hyphens in a row, which are a dash. With separate each
    punctuation mark is a word; with as_is only white space separates words. The rules are in the modules rules and
    punctuation_rules; the SavedModel's graph applies the same ones.

    Characters and subwords are those of the pre-tokens: the words as they are written, with a space in front unless they touch the word
    before them. So the three units are three ways to represent one text.

    Attributes:
        lowercase: "The" and "the" are one word.
        keep_punctuation: punctuation that stays inside words; ignored with as_is.
        punctuation: drop, separate or as_is.
        newlines: each newline is a word, `<eos>`.
        unit: word, char or subword.
        subwords: the subwords of the unit subword, in the order of their ranks (see bpe.learn).
        straight_quotes: curly quotes are straight ones.
        unicode: the version of Unicode; later characters have no case, and only with as_is they are part of words.
    """

    lowercase: bool
    keep_punctuation: str
    punctuation: Punctuation = "drop"
    newlines: bool = False
    unit: Unit = "word"
    subwords: tuple[str, ...] = ()
    straight_quotes: bool = True
    unicode: str = normalization.UNICODE_VERSION

    @property
    def plain_words(self) -> bool:
        """Whether words are runs of characters between separators, and nothing else."""
        return self.punctuation == "drop" and not self.newlines

    @property
    def keeps_unassigned_characters(self) -> bool:
        """Whether characters that are not assigned in its version of Unicode are part of words; if not, they separate them."""
        return self.punctuation == "as_is"

    @property
    def document_start(self) -> str:
        """The word that comes before a document's first: a newline, if newlines are words, else ""."""
        return NEWLINE_TOKEN if self.newlines else ""

    @property
    def rules_before_normalization(self) -> list[Rule]:
        """Rules for the text as it comes, in order."""
        return rules.before_normalization(self.punctuation, self.newlines)

    @property
    def rules_after_normalization(self) -> list[Rule]:
        """Rules for the normalized text, in order; it is then split at spaces."""
        return rules.after_normalization(self.punctuation, self.keep_punctuation, self.newlines, self.straight_quotes)

    def split_words(self, text: str) -> list[str]:
        """Split a text into words, whatever the unit."""
        before, after = self._compiled_rules
        for pattern, replacement in before:
            text = pattern.sub(replacement, text)
        text = self.normalize(text)
        for pattern, replacement in after:
            text = pattern.sub(replacement, text)
        return text.split()

    def normalize(self, text: str) -> str:
        """The text in form NFC, lower-cased if this tokenizer does so."""
        return normalization.normalize(text, lowercase=self.lowercase, keep_unassigned=self.keeps_unassigned_characters)

    def tokenize(self, text: str) -> list[str]:
        """Split a text into tokens."""
        words = self.split_words(text)
        if self.unit == "word":
            return words
        return [token for pretoken in self.pretokens(words, self.document_start) for token in self.split_pretoken(pretoken)]

    def pretokens(self, words: list[str], previous: str) -> list[str]:
        """Words as they are written, each with a space in front unless it touches the word before it.

        A subword that starts a word is known by that space, so at the start of a line it has one too.

        Args:
            words: as from `split_words`.
            previous: the word before them, or "".
        """
        subwords = self.unit == "subword"
        attached = self._surface_form(previous).no_space_after and not (subwords and previous == NEWLINE_TOKEN)
        pretokens = []
        for word in words:
            form = self._surface_form(word)
            is_token = subwords and word == UNKNOWN  # it is not split, and so needs no space
            pretokens.append(form.text if form.no_space_before or attached or is_token else f" {form.text}")
            attached = form.no_space_after and not (subwords and word == NEWLINE_TOKEN)
        return pretokens

    def split_pretoken(self, pretoken: str) -> list[str]:
        """Split one of `pretokens` into tokens, characters or subwords."""
        if self.unit == "char":
            return [NEWLINE_TOKEN if character == "\n" else character for character in pretoken]
        if pretoken == "\n":
            return [NEWLINE_TOKEN]
        if pretoken == UNKNOWN:
            return [UNKNOWN]
        return bpe.split(pretoken, self._ranks)

    def detokenize(self, tokens: list[str], previous: str = "") -> str:
        """The text of tokens, with a space in front if it needs one after the text before it.

        Args:
            tokens: as from `tokenize`.
            previous: the token before them, or "".
        """
        if self.unit == "word":
            return "".join(self.pretokens(tokens, previous))
        text = "".join("\n" if token == NEWLINE_TOKEN else token for token in tokens)
        if self.unit == "char":
            return text
        text = text.replace(bpe.SPACE, " ").replace("\n ", "\n")
        return text.removeprefix(" ") if previous == NEWLINE_TOKEN else text

    def spacing(self, token: str) -> TokenSpacing:
        """How much room a token takes in a text."""
        if self.unit == "word":
            form = self._surface_form(token)
            return TokenSpacing(len(form.text), form.no_space_before, form.no_space_after)
        if token == NEWLINE_TOKEN and self.newlines:
            return TokenSpacing(1, no_space_before=True, no_space_after=True)
        if token == UNKNOWN:
            return TokenSpacing(len(token), no_space_before=False, no_space_after=False)
        starts_word = self.unit == "subword" and token.startswith(bpe.SPACE)
        return TokenSpacing(len(token) - starts_word, no_space_before=not starts_word, no_space_after=False)

    def save(self, path: Path | str) -> None:
        """Write the tokenizer as JSON."""
        Path(path).write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: it is not what `save` writes now.
        """
        try:
            values = json.loads(Path(path).read_bytes())
        except ValueError:
            raise UserError(f"{path} is damaged: restore it with dvc checkout --force, or: make repro") from None
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names) or values["unicode"] != normalization.UNICODE_VERSION:
            raise UserError(f"{path} is from another version of this project, which split text differently: train again with: make repro")
        return cls(**values | {"subwords": tuple(values["subwords"])})

    def _surface_form(self, word: str) -> SurfaceForm:
        return surface.surface_form(word, self.punctuation, self.newlines)

    @cached_property
    def _compiled_rules(self) -> list[list[tuple[regex.Pattern[str], str]]]:
        return [
            [(regex.compile(rule.pattern), rule.replacement) for rule in stage]
            for stage in (self.rules_before_normalization, self.rules_after_normalization)
        ]

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {subword: rank for rank, subword in enumerate(self.subwords)}
