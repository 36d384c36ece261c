"""How words are written in a text: their characters, and where there is no space around them."""

from typing import NamedTuple

from lstm_lm.text.tokenization.symbols import BOUNDARY, CLOSING, JOINER, NEWLINE_TOKEN, OPENING, Punctuation, Rule, Unit, escaped


class SurfaceForm(NamedTuple):
    """How a word is written."""

    text: str
    no_space_before: bool
    no_space_after: bool


# Every word is written as space, BOUNDARY, word, BOUNDARY; these rules remove the spaces that do not belong there.
ATTACH_CLOSING = Rule(f" {BOUNDARY}([{escaped(CLOSING)}]){BOUNDARY}", rf"{BOUNDARY}\1{BOUNDARY}")
ATTACH_OPENING = Rule(f"{BOUNDARY}([{escaped(OPENING)}]){BOUNDARY} ", rf"{BOUNDARY}\1{BOUNDARY}")
ATTACH_BEFORE = Rule(f" {BOUNDARY}{JOINER}", BOUNDARY)
ATTACH_AFTER = Rule(f"{JOINER}{BOUNDARY} ", BOUNDARY)
REMOVE_JOINERS = Rule(JOINER, "")


def surface_form(word: str, punctuation: Punctuation, newlines: bool) -> SurfaceForm:
    """How one word is written.

    Args:
        word: one of Tokenizer.split_words.
        punctuation: drop, separate or as_is.
        newlines: whether a newline is a word.
    """
    if word == NEWLINE_TOKEN and newlines:
        return SurfaceForm("\n", no_space_before=True, no_space_after=True)
    if punctuation != "separate":
        return SurfaceForm(word, no_space_before=False, no_space_after=False)
    if len(word) == 1:
        return SurfaceForm(word, no_space_before=word in CLOSING, no_space_after=word in OPENING)
    return SurfaceForm(word.strip(JOINER), no_space_before=word.startswith(JOINER), no_space_after=word.endswith(JOINER))


def detokenization_rules(punctuation: Punctuation, newlines: bool, unit: Unit) -> list[Rule]:
    """Rules that put words together as `surface_form` says, for the graph.

    Args:
        punctuation: drop, separate or as_is.
        newlines: whether a newline is a word.
        unit: word, char or subword.
    Returns:
        Rules for text in which each word is written as space, BOUNDARY, word, BOUNDARY. The boundaries are left.
    """
    rules = []
    if punctuation == "separate":
        rules += [ATTACH_CLOSING, ATTACH_OPENING, ATTACH_BEFORE, ATTACH_AFTER, REMOVE_JOINERS]
    if newlines:
        rules.append(write_newlines(unit))
    return rules


def write_newlines(unit: Unit) -> Rule:
    """A newline has no spaces around it. The first subword of a line keeps the space that says that it starts a word."""
    space_after = "" if unit == "subword" else " ?"
    return Rule(f" ?{BOUNDARY}{NEWLINE_TOKEN}{BOUNDARY}{space_after}", f"{BOUNDARY}\n{BOUNDARY}")
