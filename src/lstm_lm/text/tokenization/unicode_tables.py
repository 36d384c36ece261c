"""Unicode's data on case and normal forms, as arrays: what `normalization` does with Python's strings can be done with tensors.

They are made from Python's own data, without the characters that are not assigned in UNICODE_VERSION: every Python makes the same ones.
Algorithms and terms: The Unicode Standard, sections 3.11 (normalization) and 3.13 (case), and UAX #15.
"""

import functools
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lm.text.tokenization import normalization

Points = npt.NDArray[np.int32]

NEUTRAL, CASED, CASE_IGNORABLE = range(3)
CAPITAL_SIGMA, FINAL_SIGMA = 0x3A3, 0x3C2
CAPITAL_I_WITH_DOT = 0x130  # the only character whose lower case is two characters
PRIVATE_USE = (range(0xE000, 0xF900), range(0xF0000, 0x110000))
MAX_DECOMPOSITION = 4  # characters that one decomposes to
PAIR = 2**21  # a pair of characters as one number: first * PAIR + second

# Hangul is composed and decomposed by arithmetic.
HANGUL, HANGUL_SYLLABLES = 0xAC00, 11172
LEADING, VOWEL, TRAILING = 0x1100, 0x1161, 0x11A7
LEADING_COUNT, VOWEL_COUNT, TRAILING_COUNT = 19, 21, 28  # of the last, the first means that there is none


class Mapping(NamedTuple):
    """Numbers and what each maps to: keys int [n], rising; values int32 [n] or [n, width]."""

    keys: npt.NDArray[np.int64]
    values: Points


class Intervals(NamedTuple):
    """A property of every code point: from starts[i] to below starts[i + 1] it is values[i]. Both int32 [n]."""

    starts: Points
    values: Points


@dataclass(frozen=True)
class UnicodeTables:
    """Properties of characters.

    Attributes:
        assigned: 1 for each character that is assigned.
        lower: the lower case of those that have one, which is one character. Without CAPITAL_I_WITH_DOT.
        case_context: NEUTRAL, CASED or CASE_IGNORABLE: what decides whether a capital sigma before or after it is final.
        decompositions: characters that one decomposes to in the end, padded with -1, without Hangul syllables.
        combining_class: canonical combining class.
        compositions: pairs of characters, as first * PAIR + second, and the character that they compose to, without Hangul.
        may_change: 1 for each character that may not be in form NFC, depending on those around it.
    """

    assigned: Intervals
    lower: Mapping
    case_context: Intervals
    decompositions: Mapping
    combining_class: Intervals
    compositions: Mapping
    may_change: Intervals


@functools.cache
def load() -> UnicodeTables:
    """Make the tables; this takes a fraction of a second."""
    assigned = np.frombuffer(normalization.assigned_table(), np.uint8).astype(np.int32)
    characters = _characters(assigned)
    compositions = _compositions(characters)
    combining_class = _property({ord(c): unicodedata.combining(c) for c in characters})
    may_change = combining_class > 0
    seconds = {pair % PAIR for pair in compositions}
    may_change[[*seconds, *(ord(c) for c in characters if not unicodedata.is_normalized("NFC", c))]] = True
    may_change[VOWEL : VOWEL + VOWEL_COUNT] = may_change[TRAILING + 1 : TRAILING + TRAILING_COUNT] = True
    return UnicodeTables(
        _intervals(assigned),
        _mapping({ord(c): ord(c.lower()) for c in characters if c.lower() != c and ord(c) != CAPITAL_I_WITH_DOT}),
        _intervals(_property({ord(c): _case_context(c) for c in characters})),
        _decompositions(characters),
        _intervals(combining_class),
        _mapping(compositions),
        _intervals(may_change),
    )


def _characters(assigned: Points) -> list[str]:
    """The characters that may have properties."""
    may_have = assigned.astype(bool)
    for points in (*PRIVATE_USE, range(0xD800, 0xE000)):
        may_have[points.start : points.stop] = False
    return [chr(point) for point in np.flatnonzero(may_have).tolist()]


def _case_context(character: str) -> int:
    # Python does not tell, but its lower case of a capital sigma depends on it.
    is_skipped_or_cased = f"a{character}\u03a3".lower().endswith(chr(FINAL_SIGMA))
    if not is_skipped_or_cased:
        return NEUTRAL
    return CASED if f"{character}\u03a3".lower().endswith(chr(FINAL_SIGMA)) else CASE_IGNORABLE


def _decompositions(characters: list[str]) -> Mapping:
    decomposed = {ord(c): [ord(part) for part in unicodedata.normalize("NFD", c)] for c in characters if unicodedata.decomposition(c)}
    changed = {point: parts for point, parts in sorted(decomposed.items()) if parts != [point]}
    padded = [parts + [-1] * (MAX_DECOMPOSITION - len(parts)) for parts in changed.values()]
    return Mapping(np.array([*changed], np.int64), np.array(padded, np.int32))


def _compositions(characters: list[str]) -> dict[int, int]:
    compositions = {}
    for character in characters:
        decomposition = unicodedata.decomposition(character)
        # Some characters are excluded: they are not in form NFC themselves. A tag in angle brackets marks mere similarity.
        if " " in decomposition and "<" not in decomposition and unicodedata.is_normalized("NFC", character):
            first, second = (int(part, 16) for part in decomposition.split())
            compositions[first * PAIR + second] = ord(character)
    return compositions


def _mapping(items: dict[int, int]) -> Mapping:
    keys = sorted(items)
    return Mapping(np.array(keys, np.int64), np.array([items[key] for key in keys], np.int32))


def _property(values: dict[int, int]) -> Points:
    """Int32 [CODE_POINTS], 0 where there is no value."""
    points = np.zeros(normalization.CODE_POINTS, np.int32)
    points[[*values]] = [*values.values()]
    return points


def _intervals(values: npt.NDArray[np.int32] | npt.NDArray[np.bool_]) -> Intervals:
    starts = np.flatnonzero(np.diff(values.astype(np.int32), prepend=-1))
    return Intervals(starts.astype(np.int32), values[starts].astype(np.int32))
