"""How the words of a text are written in it: tokens to stretches of a text.

Only where the probabilities of words were asked for: the text itself comes from the model as a whole.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from lstm_lm_serving.texts import Word

JOINER = "\uffed"  # beside a punctuation token that has no space on this side
SUBWORD_SPACE = "\u2581"
NEWLINE_TOKEN = "<eos>"


class Token(NamedTuple):
    """A word before it is known how it is written; attributes as in `Word`."""

    token: str
    log_probability: float | None
    top: tuple[tuple[str, float], ...] = ()


class Aligner:
    """Divides a text that arrives in pieces among its tokens."""

    def __init__(self, offset: int = 0, is_prompt: bool = False, drops_space: bool = False) -> None:
        """Start before the first piece.

        Args:
            offset: characters of the text before it.
            is_prompt: the text was not generated, so that normalization may have changed its words.
            drops_space: the space that the first token has in front was left out.
        """
        self._offset = offset
        self._is_prompt = is_prompt
        self._drops_space = drops_space
        self._is_line_start = False
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
            surface = surface_form(token)
            # At the start of a line, a subword is written without the space that says that it starts a word.
            if self._drops_space or (self._is_line_start and token.startswith(SUBWORD_SPACE)):
                surface = surface.removeprefix(" ")
            start = self._find(surface)
            if start < 0 and not is_last:
                break
            # Of a word that a stop string has cut there is all that is left.
            not_found = 0 if self._is_prompt else len(self._text)
            end = start + len(surface) if start >= 0 else not_found
            words.append(self._word(self._tokens.popleft(), end))
            self._drops_space, self._is_line_start = False, token == NEWLINE_TOKEN
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

    def _word(self, token: Token, end: int) -> Word:
        text, self._text = self._text[:end], self._text[end:]
        word = Word(token.token, text, self._offset, token.log_probability, token.top)
        self._offset += end
        return word

    def _extended(self, word: Word) -> Word:
        text, self._text = word.text + self._text, ""
        self._offset = word.offset + len(text)
        return Word(word.token, text, word.offset, word.log_probability, word.top)


def surface_form(token: str) -> str:
    """How a token is written, without a space that the rules of the tokenizer put in front of it."""
    if token == NEWLINE_TOKEN:
        return "\n"
    return token.strip(JOINER).replace(SUBWORD_SPACE, " ") or token


def _lower(text: str) -> str:
    """Lower case that keeps the number of characters."""
    return "".join(lower if len(lower := c.lower()) == 1 else c for c in text)
