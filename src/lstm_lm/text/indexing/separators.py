"""Which characters separate words, for a tokenizer whose words are runs of characters between separators."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lm.text.tokenization import normalization
from lstm_lm.text.tokenization.tokenizer import Tokenizer

SPACE, HYPHEN = b" "[0], b"-"[0]
SIGMA = "Σ"
# COMBINING: part of words too, but a text with it may not be normalized.
UNDECIDED, IN_WORD, SEPARATOR, COMBINING = range(4)


class Blanked(NamedTuple):
    """What `Separators.blank` returns.

    Attributes:
        text: a space, and then the parts, a space after each, with spaces in place of all separators; ASCII letters are lower-cased if the
            tokenizer does so.
        may_change: whether the text may not have been normalized. If it was not, `text` is useless.
    """

    text: bytearray
    may_change: bool


class Utf8Sequence(NamedTuple):
    """The characters of one length in UTF-8: their lead bytes, from `first` to below `stop`, and their number of bytes."""

    first: int
    stop: int
    length: int


NON_ASCII = (Utf8Sequence(0xC0, 0xE0, 2), Utf8Sequence(0xE0, 0xF0, 3), Utf8Sequence(0xF0, 0xF8, 4))


class Separators:
    """Asks the tokenizer about each character once, and remembers its answer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """tokenizer: one with `plain_words`."""
        self._tokenizer = tokenizer
        self._has_dashes = "-" in tokenizer.keep_punctuation
        self._kinds = np.zeros(normalization.CODE_POINTS, np.uint8)  # of characters that are not ASCII
        self._can_split_after: dict[str, bool] = {}
        self._ascii = bytes(self._translated(byte) for byte in range(256))

    def blank(self, parts: list[bytes], padding: int) -> Blanked:
        """Put spaces in place of all separators.

        Args:
            parts: parts of a text, none of which ends inside a word.
            padding: spaces to put at the end.
        """
        text = bytearray(b"\n").join([b"", *parts, b" " * padding]).translate(self._ascii)
        letters = np.frombuffer(text, np.uint8)
        if self._has_dashes and b"--" in text:
            _blank_dashes(letters)
        may_change = not text.isascii() and self._blank_non_ascii(letters)
        return Blanked(text, may_change)

    def last_split(self, text: bytes) -> int:
        """The last position at which a text can be split without changing its words; 0: there is none."""
        at = max(text.rfind(b" "), text.rfind(b"\n"))
        if at >= 0:
            return at + 1
        characters = set(text.decode(errors="ignore"))
        for character in characters.difference(self._can_split_after):
            # An apostrophe or a full stop separates words, but may decide the lower case of a sigma before it.
            words = self._tokenizer.split_words(f"a{SIGMA}{character}a")
            separates = words == [*self._tokenizer.split_words(f"a{SIGMA}"), "a"]
            self._can_split_after[character] = separates and not normalization.combines_with_next(character)
        separators = [character.encode() for character in characters if self._can_split_after[character]]
        return max((text.rfind(separator) + len(separator) for separator in separators), default=0)

    def _translated(self, byte: int) -> int:
        """What takes the place of a byte: a space for an ASCII separator."""
        if byte >= 0x80:
            return byte
        character = chr(byte)
        if self._separates(character):
            return SPACE
        return ord(character.lower() if self._tokenizer.lowercase else character)

    def _blank_non_ascii(self, letters: npt.NDArray[np.uint8]) -> bool:
        """Put spaces in place of the separators that are not ASCII.

        Args:
            letters: uint8 [bytes], changed in place.
        Returns:
            Whether the text may not have been normalized.
        """
        may_change = False
        leads = np.flatnonzero(letters >= NON_ASCII[0].first)
        lead_bytes = letters[leads]
        for first, stop, length in NON_ASCII:
            at = leads[(lead_bytes >= first) & (lead_bytes < stop)]
            if not len(at):
                continue
            kinds = self._kinds_of(_code_points(letters, at, length))
            may_change = may_change or bool((kinds == COMBINING).any())
            at = at[kinds == SEPARATOR]
            for i in range(length):
                letters[at + i] = SPACE
        return may_change

    def _kinds_of(self, points: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
        """IN_WORD, SEPARATOR or COMBINING for each code point."""
        kinds = self._kinds[points]
        if kinds.all():  # none is UNDECIDED
            return kinds
        # Several threads may decide about one character at a time: they come to the same result.
        for point in np.unique(points[kinds == UNDECIDED]):
            self._kinds[point] = self._kind(chr(point))
        return self._kinds[points]

    def _kind(self, character: str) -> int:
        if normalization.is_assigned(character) and normalization.may_change(character):
            return COMBINING
        return SEPARATOR if self._separates(character) else IN_WORD

    def _separates(self, character: str) -> bool:
        return self._tokenizer.split_words(f"a{character}b") == ["a", "b"]


def _blank_dashes(letters: npt.NDArray[np.uint8]) -> None:
    """Put spaces in place of two or more hyphens in a row. letters: uint8 [bytes], changed in place."""
    hyphen = letters == HYPHEN
    dash = np.flatnonzero(hyphen[:-1] & hyphen[1:])
    letters[dash] = SPACE
    letters[dash + 1] = SPACE


def _code_points(letters: npt.NDArray[np.uint8], leads: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int32]:
    """The code points of characters of so many bytes, by the positions of their lead bytes."""
    points = letters[leads].astype(np.int32) & (0x7F >> length)
    for i in range(1, length):
        points = points << 6 | letters[leads + i] & 0x3F
    return points
