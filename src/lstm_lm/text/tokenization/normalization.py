"""What makes two spellings of a character one: Unicode's form NFC and, if wanted, lower case.

Every library has its own version of Unicode, and they disagree on the characters that one of them does not know yet. All of them agree on
those of UNICODE_VERSION, the oldest among the supported Pythons, because Unicode changes neither the case nor the normal form of a
character once it is assigned. So later characters count as unassigned everywhere: they have no case, and combine with nothing.
"""

import functools
import itertools
import unicodedata
from pathlib import Path

UNICODE_VERSION = "14.0"
CODE_POINTS = 0x110000
SYMBOL_MARKS = "\u0300\u0301\u0338\u0342"  # that symbols are composed with, as in U+2260: = with a stroke
UNASSIGNED_FILE = Path(__file__).with_name("unassigned.txt")


def normalize(text: str, *, lowercase: bool, keep_unassigned: bool) -> str:
    """Bring a text into Unicode's form NFC.

    Args:
        text: any.
        lowercase: whether to lower-case it first. The locale has no influence.
        keep_unassigned: whether unassigned characters stay as they are; if not, a space takes the place of each.
    """
    if text.isascii():
        return text.lower() if lowercase else text
    if not has_unassigned(text):
        return normalize_assigned(text, lowercase=lowercase)
    parts = []
    for assigned, characters in itertools.groupby(text, is_assigned):
        part = "".join(characters)
        if assigned:
            parts.append(normalize_assigned(part, lowercase=lowercase))
        else:
            parts.append(part if keep_unassigned else " " * len(part))
    return "".join(parts)


def normalize_assigned(text: str, *, lowercase: bool) -> str:
    """As `normalize`, for a text without unassigned characters."""
    return unicodedata.normalize("NFC", text.lower() if lowercase else text)


def is_normalized(text: str) -> bool:
    """Whether a text without unassigned characters is in form NFC."""
    return unicodedata.is_normalized("NFC", text)


def may_change(character: str) -> bool:
    """Whether a text with this character may not be in form NFC: without such a character, every text is."""
    is_vowel_or_trailing_jamo = "\u1160" <= character <= "\u11ff"
    return is_vowel_or_trailing_jamo or unicodedata.category(character)[0] == "M" or not is_normalized(character)


def combines_with_next(separator: str) -> bool:
    """Whether a character that is neither letter, mark nor number may become another one together with a mark after it.

    If so, or if it is not in form NFC itself, a text must not be split after it and its parts be normalized on their own.
    """
    return not is_normalized(separator) or any(not is_normalized(separator + mark) for mark in SYMBOL_MARKS)


def has_unassigned(text: str) -> bool:
    """Whether any character of a text is unassigned."""
    table = assigned_table()
    return any(not table[ord(character)] for character in set(text))


def is_assigned(character: str) -> bool:
    """Whether a character is assigned in UNICODE_VERSION."""
    return bool(assigned_table()[ord(character)])


@functools.cache
def assigned_table() -> bytes:
    """For each code point 1 if it is assigned in UNICODE_VERSION, else 0. Surrogates are."""
    table = bytearray(b"\1") * CODE_POINTS
    for line in UNASSIGNED_FILE.read_text(encoding="ascii").splitlines()[1:]:
        first, _, last = line.partition("..")
        start, stop = int(first, 16), int(last or first, 16) + 1
        table[start:stop] = bytes(stop - start)
    return bytes(table)
