"""Each rule on its own. In the examples, `|` represents BOUNDARY, `_` represents JOINER and `%` represents NEWLINE_MARKER."""

import pytest
import regex

from lstm_lm.text.tokenization import punctuation_rules, rules, surface
from lstm_lm.text.tokenization.symbols import BOUNDARY, JOINER, NEWLINE_MARKER, escaped

MARKERS = str.maketrans({"|": BOUNDARY, "_": JOINER, "%": NEWLINE_MARKER})


def check(rule, text, expected):
    assert regex.sub(rule.pattern, rule.replacement, text.translate(MARKERS)) == expected.translate(MARKERS)


def test_reserved_characters_are_removed():
    check(rules.remove_reserved_characters("drop"), "a|b%c_d", "a b c_d")
    check(rules.remove_reserved_characters("separate"), "a|b%c_d", "a b c d")
    check(rules.remove_reserved_characters("as_is"), "a|b%c_d", "a\ufffdb\ufffdc_d")


def test_every_kind_of_newline_is_marked():
    check(rules.MARK_NEWLINES, "a\r\nb\rc\nd", "a % b % c % d")


def test_control_characters_become_spaces_where_punctuation_is_separated():
    check(rules.BLANK_CONTROL_CHARACTERS, "a\x00b\x1fc\td", "a b c d")


def test_white_space_is_collapsed():
    check(rules.COLLAPSE_WHITE_SPACE, "a \t\u3000b\u00a0c", "a b c")


def test_control_characters_are_replaced_where_punctuation_is_kept_as_is():
    check(rules.REPLACE_CONTROL_CHARACTERS, "a\x00b\x1bc\td", "a\ufffdb\ufffdc\td")


def test_quotes_are_straightened():
    check(rules.STRAIGHTEN_SINGLE_QUOTES, "\u2018a\u2019\u201b", "'a''")
    check(rules.STRAIGHTEN_DOUBLE_QUOTES, "\u201ca\u201d\u201f", '"a""')


def test_two_or_more_hyphens_are_a_dash():
    check(rules.BLANK_DASHES, "a-b--c---d", "a-b c d")


def test_newlines_get_their_token():
    check(rules.NAME_NEWLINES, "a % b", "a <eos> b")


def test_characters_that_are_not_part_of_words_become_spaces():
    check(rules.blank_separators("-'", newlines=False), "a-b's, c%d!", "a-b's c d ")
    check(rules.blank_separators("", newlines=True), "a-b % c", "a b % c".replace(" % ", " % "))


def test_kept_punctuation_without_a_letter_is_removed():
    check(rules.blank_stray_punctuation("-'"), "' a - ' b'c -", " a b'c ")


def test_invisible_characters_become_spaces():
    check(punctuation_rules.blank_invisible_characters(newlines=True), "a\u00a0\u200bb,%", "a b,%")


def test_dashes_are_split_off():
    check(punctuation_rules.SPLIT_DASHES, "a--b", "a|_--_|b")


def test_punctuation_is_split_off_unless_it_is_kept():
    check(punctuation_rules.split_punctuation("-'", newlines=True), "a's, %", "a's|_,_| %")


def test_words_get_boundaries():
    check(punctuation_rules.BOUND_WORDS_AT_SPACES, "a  b", "a| |b")
    check(punctuation_rules.BOUND_WORDS_AT_ENDS, "a\nb", "|a\nb|")


def test_kept_punctuation_without_a_letter_is_split_off():
    check(punctuation_rules.split_stray_punctuation("-'"), "|'| |a'b|", "|_'_| |a'b|")
    check(punctuation_rules.split_stray_punctuation(""), "|\u0301|", "|_\u0301_|")


def test_joiners_next_to_a_space_are_removed():
    check(punctuation_rules.UNJOIN_BEFORE_SPACE, "a|_,_|| b_|", "a|_,| b|")
    check(punctuation_rules.UNJOIN_AFTER_SPACE, "a ||_(_|b", "a |(_|b")


def test_adjacent_punctuation_has_one_joiner():
    check(punctuation_rules.UNJOIN_AFTER_OPENING, '(_||_"_|', '(_||"_|')
    check(punctuation_rules.UNJOIN_BEFORE_MARK, '._||_"|', '.||_"|')


def test_closing_and_opening_punctuation_needs_no_joiner():
    check(punctuation_rules.UNJOIN_CLOSING, "a|_,| |_%|", "a|,| |_%|")
    check(punctuation_rules.UNJOIN_OPENING, "|(_|a", "|(|a")


def test_boundaries_become_single_spaces():
    check(punctuation_rules.SPACE_BETWEEN_WORDS, "|a| |b||,|", " a b , ")


def test_punctuation_is_attached_to_its_words():
    check(surface.ATTACH_CLOSING, "|a| |,| |b|", "|a||,| |b|")
    check(surface.ATTACH_OPENING, "|a| |(| |b|", "|a| |(||b|")


def test_words_are_attached_at_joiners():
    check(surface.ATTACH_BEFORE, '|a| |_"|', '|a||"|')
    check(surface.ATTACH_AFTER, '|"_| |a|', '|"||a|')
    check(surface.REMOVE_JOINERS, "|_%_|", "|%|")


def test_newlines_lose_the_spaces_around_them_except_those_of_subwords():
    check(surface.write_newlines("word"), "|a| |<eos>| |b|", "|a||\n||b|")
    check(surface.write_newlines("subword"), "|a| |<eos>| |b|", "|a||\n| |b|")


def test_ascii_punctuation_is_escaped_and_other_punctuation_is_not():
    assert escaped("]^-\u2014") == "\\]\\^\\-\u2014"


@pytest.mark.parametrize(
    ("word", "punctuation", "newlines", "form"),
    [
        ("<eos>", "drop", True, ("\n", True, True)),
        ("<eos>", "as_is", False, ("<eos>", False, False)),
        (",", "as_is", False, (",", False, False)),
        (",", "separate", False, (",", True, False)),
        ("(", "separate", False, ("(", False, True)),
        ('_"', "separate", False, ('"', True, False)),
        ('"_', "separate", False, ('"', False, True)),
        ("king", "separate", False, ("king", False, False)),
    ],
)
def test_a_surface_form_includes_where_no_space_is_allowed(word, punctuation, newlines, form):
    assert surface.surface_form(word.translate(MARKERS), punctuation, newlines) == form
