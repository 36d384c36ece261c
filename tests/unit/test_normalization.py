# ruff: noqa: RUF001 (ambiguous letters are intended)
import hashlib
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings

from lstm_lm.text.tokenization import normalization, unicode_tables
from lstm_lm.text.tokenization.normalization import normalize
from unicode_texts import ALL_CHARACTERS, text_lists

VARIANTS = [(lowercase, keep) for lowercase in (False, True) for keep in (False, True)]


@pytest.fixture(scope="module")
def in_graph():
    """A function that normalizes texts in TensorFlow's graph."""
    import tensorflow as tf

    from lstm_lm.export.graph_normalization import make_graph_normalization

    strings = [tf.TensorSpec([None], tf.string)]
    functions = {
        (lowercase, keep): tf.function(make_graph_normalization(lowercase=lowercase, keep_unassigned=keep), strings, autograph=False)
        for lowercase, keep in VARIANTS
    }

    def run(texts, lowercase, keep):
        return [text.decode() for text in functions[lowercase, keep](tf.constant(texts, tf.string)).numpy()]

    return run


def in_python(texts, lowercase, keep):
    return [normalize(text, lowercase=lowercase, keep_unassigned=keep) for text in texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The KING", "the king"),
        ("E\u0301TE\u0301", "été"),
        ("q\u0307\u0323", "q\u0323\u0307"),
        ("H\u0331", "ẖ"),  # only the lower case has a composed form
        ("I İ ı J", "i i\u0307 ı j"),
        ("ΣΟΦΟΣ ΑΣ.Α ΑΣ\u00ad ΑΣ, Σ", "σοφος ασ.α ας\u00ad ας, σ"),  # the last sigma of a word; a full stop may be inside one
        ("ǅ Ǆ ẞ ﬁ K Å Ω", "ǆ ǆ ß ﬁ k å ω"),
        ("\u1100\u1161\u11a8 가\u11a8", "각 각"),
        ("\u0958 \u2adc =\u0338 \u037e", "\u0915\u093c \u2add\u0338 ≠ ;"),  # the first two are never composed
    ],
)
def test_a_text_is_lower_cased_and_composed(text, expected, in_graph):
    assert normalize(text, lowercase=True, keep_unassigned=False) == expected
    assert in_graph([text], True, False) == [expected]


def test_characters_that_are_assigned_later_have_no_case_and_do_not_combine(in_graph):
    # Of Unicode 15.1 to 17: a capital letter, a mark between two that would change places, an emoji.
    text = "A\ua7cb Σ\ua7dc a\u0301\U00010d69\u0323 \U0001fa77"
    kept, blanked = "a\ua7cb σ\ua7dc á\U00010d69\u0323 \U0001fa77", "a  σ  á \u0323  "
    for keep, expected in ((True, kept), (False, blanked)):
        assert normalize(text, lowercase=True, keep_unassigned=keep) == expected
        assert in_graph([text], True, keep) == [expected]


@pytest.mark.slow
@pytest.mark.parametrize(("lowercase", "keep"), VARIANTS)
@settings(deadline=None, max_examples=25)
@given(texts=text_lists())
def test_the_graph_normalizes_as_python_does(in_graph, lowercase, keep, texts):
    assert in_graph(texts, lowercase, keep) == in_python(texts, lowercase, keep)


@pytest.mark.parametrize("texts", [[], [""], ["", "é", ""], ["a" + "\u0301" * 3000, "\u0308\u0304" * 900 + "u" + "\u0308\u0304" * 900]])
def test_no_text_is_too_short_or_too_long(in_graph, texts):
    for variant in VARIANTS:
        assert in_graph(texts, *variant) == in_python(texts, *variant)


@pytest.mark.slow
def test_the_graph_normalizes_every_character_in_every_place_as_python_does(in_graph):
    tables = unicode_tables.load()
    special = {*range(0x3000)}
    for intervals in (tables.assigned, tables.case_context, tables.combining_class, tables.may_change):
        special |= {*intervals.starts.tolist(), *(intervals.starts - 1).tolist()}
    for mapping in (tables.lower, tables.decompositions, tables.compositions):
        special |= {*(mapping.keys % unicode_tables.PAIR).tolist(), *(mapping.keys // unicode_tables.PAIR).tolist()}
    characters = [chr(point) for point in sorted(special) if 0 <= point < 0x110000 and not 0xD800 <= point < 0xE000]
    texts = [f"A{c}\u0323\u0301 ΑΣ{c}Α {c}Σ{c} \u0345{c}\u0301" for c in characters]
    pairs = [f"{first}{second} {first}\u0323{second}" for first in characters[:2000:19] for second in characters[::197]]
    assert in_graph(ALL_CHARACTERS, True, True) == in_python(ALL_CHARACTERS, True, True)
    for variant in VARIANTS:
        assert in_graph(texts, *variant) == in_python(texts, *variant)
        assert in_graph(pairs, *variant) == in_python(pairs, *variant)


def test_every_python_makes_the_same_tables():
    tables = unicode_tables.load()
    digest = hashlib.sha256()
    for name in ("assigned", "lower", "case_context", "decompositions", "combining_class", "compositions", "may_change"):
        for array in getattr(tables, name):
            digest.update(np.ascontiguousarray(array, "<i8").tobytes())
    assert digest.hexdigest() == "45c794e47794fbc0f12e5bb01ba27cd3819ae4070ee4a0e7655e33fd4d8f1ddc"


def test_unassigned_characters_are_those_of_unicode_14():
    assigned = [unicodedata.category(character) != "Cn" for character in ALL_CHARACTERS]
    expected = [normalization.is_assigned(character) for character in ALL_CHARACTERS]
    if unicodedata.unidata_version == "14.0.0":
        assert assigned == expected
    assert not any(in_14 and not now for in_14, now in zip(expected, assigned, strict=True))


def test_a_text_without_characters_that_may_change_is_normalized():
    starts, values = unicode_tables.load().may_change
    may_change = np.repeat(values, np.diff(starts, append=normalization.CODE_POINTS))
    assert not [hex(point) for point in np.flatnonzero(may_change) if not normalization.may_change(chr(point))]


def test_a_text_is_never_split_after_a_symbol_that_a_mark_combines_with():
    pairs = unicode_tables.load().compositions.keys
    firsts = {chr(pair // unicode_tables.PAIR) for pair in pairs.tolist()}
    symbols = {character for character in firsts if unicodedata.category(character)[0] not in "LMN"}
    assert {character for character in symbols if normalization.combines_with_next(character)} == symbols
    assert not any(map(normalization.combines_with_next, " ,.;!，。「\u2028"))
