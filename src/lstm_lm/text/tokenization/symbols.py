"""What the tokenization rules are made of: tokens and characters that have a meaning of their own, and the rule itself."""

from typing import Literal, NamedTuple

Punctuation = Literal["drop", "separate", "as_is"]
Unit = Literal["word", "char", "subword"]

UNKNOWN = "<unk>"  # every word that is not in the vocabulary
NEWLINE_TOKEN = "<eos>"  # a newline, as in the standard corpora of language modelling

# At the side of a punctuation token on which there is no space, where its kind usually has one.
JOINER = "\uffed"

# Characters for private use, which mark what must not be mistaken for text. They are removed from the text first.
BOUNDARY = "\ue000"  # the start or the end of a word
NEWLINE_MARKER = "\ue001"  # a newline, while white space is collapsed
UNKNOWN_MARKER = "\ue002"  # `<unk>`, while text is split into characters

REPLACEMENT = "\ufffd"
# Where Python's str.split() splits.
WHITE_SPACE = "\t\n\x0b\x0c\r\x1c-\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

CLOSING = ".,;:!?)]}\u2026"  # usually without a space before them
OPENING = "([{"  # usually without a space after them


class Rule(NamedTuple):
    """A regular expression and the text that replaces each of its matches. RE2 and Python's `regex` must read it alike."""

    pattern: str
    replacement: str


def escaped(characters: str) -> str:
    """Characters as they are written inside the brackets of a character class."""
    # RE2 accepts a backslash before ASCII punctuation only.
    return "".join(f"\\{character}" if character.isascii() else character for character in characters)


def newline_marker(newlines: bool) -> str:
    """The newline marker, if newlines are words."""
    return NEWLINE_MARKER if newlines else ""
