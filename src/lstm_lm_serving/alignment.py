"""How the words of a text are written in it, and how others would be in their place: tokens to stretches of a text.

Only where the probabilities of words were asked for: the text itself comes from the model as a whole.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from lstm_lm_serving.saved_model import read_tokenizer
from lstm_lm_serving.texts import Word

JOINER = "\uffed"  # beside a punctuation token that has no space on this side
SUBWORD_SPACE = "\u2581"
NEWLINE_TOKEN = "<eos>"
CLOSING = ".,;:!?)]}\u2026"  # usually without a space before them
OPENING = "([{"  # usually without a space after them


class Token(NamedTuple):
    """A word before it is known how it is written; attributes as in `Word`, but `top` holds words of the vocabulary."""

    token: str
    log_probability: float | None
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Spacing:
    """Between which words a tokenizer puts spaces.

    Attributes:
        unit, punctuation: of the tokenizer. Characters and subwords bring their spaces along.
    """

    unit: str = "word"
    punctuation: str = "drop"

    @classmethod
    def read(cls, saved_model: str | Path) -> Self:
        """Return that of a SavedModel's tokenizer."""
        tokenizer = read_tokenizer(saved_model)
        return cls(tokenizer.get("unit", cls.unit), tokenizer.get("punctuation", cls.punctuation))

    def before(self, token: str) -> bool:
        """Whether a space belongs before a token, unless the one before it wants none."""
        if self.unit != "word" or token == NEWLINE_TOKEN:
            return False
        return not (self.punctuation == "separate" and (token[0] == JOINER if len(token) > 1 else token in CLOSING))

    def after(self, token: str) -> bool:
        """Whether a space may follow a token."""
        if self.unit != "word" or token == NEWLINE_TOKEN:
            return False
        return not (self.punctuation == "separate" and (token[-1] == JOINER if len(token) > 1 else token in OPENING))


WORDS = Spacing()


class Aligner:
    """Divides a text that arrives in pieces among its tokens.

    Attributes:
        spacing: of the tokenizer.
    """

    def __init__(
        self, offset: int = 0, is_prompt: bool = False, drops_space: bool = False, spacing: Spacing = WORDS, previous: str = ""
    ) -> None:
        """Start before the first piece.

        Args:
            offset: characters of the text before it.
            is_prompt: the text was not generated, so that normalization may have changed its words.
            drops_space: the space that the first token has in front was left out.
            spacing: of the tokenizer.
            previous: the token before the first one; "": not known.
        """
        self._offset = offset
        self._is_prompt = is_prompt
        self._drops_space = drops_space
        self.spacing = spacing
        self._previous = previous
        self._text = ""  # that is not divided yet
        self._tokens: deque[Token] = deque()

    def add(self, tokens: Sequence[Token]) -> None:
        """Add tokens whose text comes now or later."""
        self._tokens.extend(tokens)

    def take(self, text: str, is_last: bool) -> list[Word]:
        """Return the words that are complete with the next piece of the text.

        Args:
            text: may be part of a word.
            is_last: no text follows; tokens behind the end of the text, which was cut at a stop string, are dropped.
        """
        self._text += text
        words = []
        while self._tokens and (self._text or not is_last):
            token = self._tokens[0].token
            surface = self._surface(token)
            start = self._find(surface)
            if start < 0 and not is_last:
                break
            # Of a word that a stop string has cut there is all that is left.
            not_found = 0 if self._is_prompt else len(self._text)
            end = start + len(surface) if start >= 0 else not_found
            words.append(self._word(self._tokens.popleft(), end))
            self._drops_space, self._previous = False, token
        if is_last and self._text and words:
            words[-1] = self._extended(words[-1])
        return words

    def _find(self, surface: str) -> int:
        # Nearly all generated words are here: searching costs as much as the text is long.
        if self._text.startswith(surface):
            return 0
        if self._text.startswith(surface, 1) and self._text[0] == " ":
            return 1
        return _lower(self._text).find(_lower(surface))

    def _surface(self, token: str) -> str:
        # At the start of a line, a subword is written without the space that says that it starts a word.
        if self._drops_space or (self._previous == NEWLINE_TOKEN and token.startswith(SUBWORD_SPACE)):
            return surface_form(token).removeprefix(" ")
        return surface_form(token)

    def _word(self, token: Token, end: int) -> Word:
        text, self._text = self._text[:end], self._text[end:]
        top = tuple((text if other == token.token else self._alternative(other, token.token, text), value) for other, value in token.top)
        word = Word(token.token, text, self._offset, token.log_probability, top)
        self._offset += end
        return word

    def _alternative(self, token: str, chosen: str, text: str) -> str:
        """How a token would be written in the place of the chosen one, which is written as `text`."""
        if self._drops_space or not self.spacing.before(token):
            return self._surface(token)
        may_follow = self.spacing.after(self._previous) if self._previous else text[:1] == " " or not self.spacing.before(chosen)
        return f" {surface_form(token)}" if may_follow else surface_form(token)

    def _extended(self, word: Word) -> Word:
        text, self._text = word.text + self._text, ""
        self._offset = word.offset + len(text)
        top = tuple((text if other == word.text else other, value) for other, value in word.top)
        return Word(word.token, text, word.offset, word.log_probability, top)


def surface_form(token: str) -> str:
    """How a token is written, without a space that the rules of the tokenizer put in front of it."""
    if token == NEWLINE_TOKEN:
        return "\n"
    return token.strip(JOINER).replace(SUBWORD_SPACE, " ") or token


def _lower(text: str) -> str:
    """Lower case that keeps the number of characters."""
    return "".join(lower if len(lower := c.lower()) == 1 else c for c in text)
