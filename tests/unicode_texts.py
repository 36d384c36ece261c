"""Texts of all of Unicode's difficulties, for hypothesis."""

# ruff: noqa: RUF001 (ambiguous letters are intended)
from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

SURROGATES = range(0xD800, 0xE000)
ALL_CHARACTERS = [chr(point) for point in range(0x110000) if point not in SURROGATES]
# Words in several spellings: composed or not, in upper, lower and title case, with letters whose case depends on the locale or the place.
WORDS = (
    "the KING king's king’s “so” ‘tis don't don’t <unk> <UNK> <eos> to-morrow -- e\u0301te\u0301 ÉTÉ été É\u0323 q\u0307\u0323 H\u0331 ẖ "
    "IT IS I INK İstanbul I\u0307 ı i\u0307 Į\u0301 Ì Í Ĩ J\u030c ǰ ΣΟΦΟΣ ΣΑΣ ΑΣ. ΑΣ'Α ΑΣ\u00adΑ ΑΣ\u0345 Σ ΆΪ\u0301 Ϊ́ ΐ ᾼ ǅ Ǆ ß ẞ ﬁ K Å Ω "
    "각 \u1100\u1161\u11a8 가\u11a8 \u1100각 नमस्ते क़ 你好，世界。 ❤️ 👩‍👩‍👧 𝔘𝔫𝔦 Ⅷ ½ < \u0338 = ≠ ⫝̸ ⫝ ; · ` 3.14 50% I/O ( x ) ,' .\" ￭ ￭,￭"
).split(" ")
# The others have no category, no decomposition and no case; looking at each of them takes most of the time.
DESCRIBED = [c for c in ALL_CHARACTERS if c < "\U00040000" or "\U000e0000" <= c < "\U000e1000"]
SPACES = [*"\t\n\r\x0b\x0c\x1c\x85", "\r\n", *(c for c in DESCRIBED if unicodedata.category(c)[0] == "Z")]
CONTROLS = [*"\0\x01\x07\x1b\x1f\x7f\x80\xad\u200b\u200d\u2060\ufeff\ufffd\ufffe\uffff"]
RESERVED = ["\ue000", "\ue001", "\ue002", "\uffed", "\u2581"]
QUOTES = [*"'\"‘’‚‛“”„‟«»‹›`´"]
MARKS = [c for c in DESCRIBED if unicodedata.category(c)[0] == "M" or "\u1100" <= c <= "\u11ff"]
DECOMPOSABLE = [c for c in DESCRIBED if unicodedata.decomposition(c)]
CASED = [c for c in DESCRIBED if c.lower() != c]
# Assigned in later versions of Unicode than 14.0, among them letters with case, marks that combine, and emoji; and in none.
UNASSIGNED = [*"\u1c89\ua7cb\ua7dc\U00010d50\U00010d69\U0001e08f\U000113c2\U000113b8\U0001fa77\U0001fae8\U00031350\U0010ffff\u0378"]


def texts(max_size: int = 12) -> st.SearchStrategy[str]:
    """Texts of at most so many pieces: characters of all kinds, and words."""
    pieces = st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from([" ", *SPACES]),
        st.sampled_from(CONTROLS + RESERVED + QUOTES),
        st.sampled_from(MARKS),
        st.sampled_from(DECOMPOSABLE),
        st.sampled_from(CASED),
        st.sampled_from(UNASSIGNED),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3),
    )
    return st.lists(pieces, max_size=max_size).map("".join)


def text_lists() -> st.SearchStrategy[list[str]]:
    """Lists of texts, because a graph takes many at a time."""
    return st.lists(texts(), min_size=1, max_size=20)
