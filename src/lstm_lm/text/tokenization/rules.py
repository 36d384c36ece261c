"""How text is split into words: regular expressions that are applied in order. What is left is split at spaces.

RE2 and Python's `regex` read these expressions alike, so that the SavedModel's graph applies the same rules.
"""

from lstm_lm.text.tokenization import punctuation_rules
from lstm_lm.text.tokenization.symbols import (
    BOUNDARY,
    JOINER,
    NEWLINE_MARKER,
    NEWLINE_TOKEN,
    REPLACEMENT,
    UNKNOWN_MARKER,
    WHITE_SPACE,
    Punctuation,
    Rule,
    escaped,
    newline_marker,
)

# Newlines would be lost when white space is collapsed, so that a marker takes their place.
MARK_NEWLINES = Rule("\r\n?|\n", f" {NEWLINE_MARKER} ")
# Where punctuation separates words, a control character would become a replacement character in the graph, which is punctuation.
BLANK_CONTROL_CHARACTERS = Rule("[\\x00-\\x1f]", " ")
COLLAPSE_WHITE_SPACE = Rule(f"[{WHITE_SPACE}]+", " ")
# The graph does so too. The others, \t to \r and \x1c to \x1f, are white space.
REPLACE_CONTROL_CHARACTERS = Rule("[\\x00-\\x08\\x0e-\\x1b]", REPLACEMENT)
STRAIGHTEN_SINGLE_QUOTES = Rule("[\u2018\u2019\u201b]", "'")
STRAIGHTEN_DOUBLE_QUOTES = Rule("[\u201c\u201d\u201f]", '"')
# Two or more hyphens are a dash, also where single ones stay inside words.
BLANK_DASHES = Rule("--+", " ")
NAME_NEWLINES = Rule(NEWLINE_MARKER, NEWLINE_TOKEN)


def before_normalization(punctuation: Punctuation, newlines: bool) -> list[Rule]:
    """Rules for the text as it comes, before it is normalized and lower-cased."""
    if punctuation == "drop" and not newlines:
        return []
    rules = [remove_reserved_characters(punctuation)]
    if newlines:
        rules.append(MARK_NEWLINES)
    if punctuation == "separate":
        rules.append(BLANK_CONTROL_CHARACTERS)
    if punctuation == "as_is":
        rules += [COLLAPSE_WHITE_SPACE, REPLACE_CONTROL_CHARACTERS]
    return rules


def after_normalization(punctuation: Punctuation, keep: str, newlines: bool, straight_quotes: bool) -> list[Rule]:
    """Rules that leave words with single spaces between them.

    Args:
        punctuation: drop: punctuation separates words; separate: each punctuation mark is a word; as_is: only white space separates words.
        keep: punctuation that stays inside words.
        newlines: whether a newline is a word.
        straight_quotes: whether curly quotes become straight ones.
    """
    last = [NAME_NEWLINES] if newlines else []
    first = [STRAIGHTEN_SINGLE_QUOTES, STRAIGHTEN_DOUBLE_QUOTES] if straight_quotes else []
    if punctuation == "as_is":
        return [*first, *last]
    if punctuation == "separate":
        return [*first, *punctuation_rules.separate_punctuation(keep, newlines), *last]
    if "-" in keep:
        first.append(BLANK_DASHES)
    return [*first, blank_separators(keep, newlines), blank_stray_punctuation(keep), *last]


def remove_reserved_characters(punctuation: Punctuation) -> Rule:
    """A text that holds the characters the rules use as markers loses them."""
    reserved = f"{BOUNDARY}{NEWLINE_MARKER}{UNKNOWN_MARKER}{JOINER if punctuation == 'separate' else ''}"
    return Rule(f"[{reserved}]", REPLACEMENT if punctuation == "as_is" else " ")


def blank_separators(keep: str, newlines: bool) -> Rule:
    """Words hold letters, combining marks, digits and kept punctuation; everything else separates them."""
    return Rule(rf"[^\p{{L}}\p{{M}}\p{{N}}{escaped(keep)}{newline_marker(newlines)}]+", " ")


def blank_stray_punctuation(keep: str) -> Rule:
    """A word needs a letter or a digit: kept punctuation alone is none."""
    stray = rf"[\p{{M}}{escaped(keep)}]+"
    # A whole run of them is one match, because two matches cannot share the space between them.
    return Rule(rf"(?:^| ){stray}(?: {stray})*(?: |$)", " ")
