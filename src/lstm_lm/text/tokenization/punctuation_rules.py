"""The rules of `punctuation: separate`: every punctuation mark becomes a word.

A JOINER at one side of a punctuation mark means that there is no space on that side. It is omitted where it is implied: before closing
and after opening punctuation. Two adjacent marks have one joiner, that of the second mark, or none if the first is opening: `."`
becomes `.` and `￭"`, and `("` becomes `(` and `"`. Ordinary prose therefore needs few joiners, and detokenizing restores it exactly.
"""

from lstm_lm.text.tokenization.symbols import BOUNDARY, CLOSING, JOINER, OPENING, Rule, escaped, newline_marker

# A mark becomes a word without a space on either side. The rules that follow take back the joiners that are wrong or unnecessary.
_MARK = rf"{BOUNDARY}{JOINER}\1{JOINER}{BOUNDARY}"

SPLIT_DASHES = Rule("(--+)", _MARK)
# Every space gets two boundaries, one for each of its words, because two matches cannot share one.
BOUND_WORDS_AT_SPACES = Rule(" +", f"{BOUNDARY} {BOUNDARY}")
BOUND_WORDS_AT_ENDS = Rule("(?s)^(.*)$", rf"{BOUNDARY}\1{BOUNDARY}")
# A mark with a space, or the text's end, on one side has no joiner there.
UNJOIN_BEFORE_SPACE = Rule(f"{JOINER}{BOUNDARY}+( |$)", rf"{BOUNDARY}\1")
UNJOIN_AFTER_SPACE = Rule(f"(^| ){BOUNDARY}+{JOINER}", rf"\1{BOUNDARY}")
# Two adjacent marks need only one joiner: that of an opening mark, which is removed later, or else that of the second mark.
UNJOIN_AFTER_OPENING = Rule(f"([{escaped(OPENING)}]){JOINER}{BOUNDARY}+{JOINER}", rf"\1{JOINER}{BOUNDARY}{BOUNDARY}")
UNJOIN_BEFORE_MARK = Rule(f"{JOINER}{BOUNDARY}+{JOINER}", f"{BOUNDARY}{BOUNDARY}{JOINER}")
# Closing punctuation touches the word before it, opening punctuation the word after it, without a joiner.
UNJOIN_CLOSING = Rule(f"{BOUNDARY}{JOINER}([{escaped(CLOSING)}]){BOUNDARY}", rf"{BOUNDARY}\1{BOUNDARY}")
UNJOIN_OPENING = Rule(f"{BOUNDARY}([{escaped(OPENING)}]){JOINER}{BOUNDARY}", rf"{BOUNDARY}\1{BOUNDARY}")
SPACE_BETWEEN_WORDS = Rule(f"[ {BOUNDARY}]+", " ")


def separate_punctuation(keep: str, newlines: bool) -> list[Rule]:
    """The rules in order.

    Args:
        keep: punctuation that stays inside words.
        newlines: whether a newline is a word.
    """
    return [
        blank_invisible_characters(newlines),
        *([SPLIT_DASHES] if "-" in keep else []),
        split_punctuation(keep, newlines),
        BOUND_WORDS_AT_SPACES,
        BOUND_WORDS_AT_ENDS,
        split_stray_punctuation(keep),
        UNJOIN_BEFORE_SPACE,
        UNJOIN_AFTER_SPACE,
        UNJOIN_AFTER_OPENING,
        UNJOIN_BEFORE_MARK,
        UNJOIN_CLOSING,
        UNJOIN_OPENING,
        SPACE_BETWEEN_WORDS,
    ]


def blank_invisible_characters(newlines: bool) -> Rule:
    """Only letters, combining marks, digits, punctuation and symbols are parts of words."""
    return Rule(rf"[^\p{{L}}\p{{M}}\p{{N}}\p{{P}}\p{{S}}{newline_marker(newlines)}]+", " ")


def split_punctuation(keep: str, newlines: bool) -> Rule:
    """Each mark that does not stay inside words becomes a word. The dashes already are."""
    return Rule(rf"([^\p{{L}}\p{{M}}\p{{N}} {BOUNDARY}{JOINER}{escaped(keep)}{newline_marker(newlines)}])", _MARK)


def split_stray_punctuation(keep: str) -> Rule:
    """Kept punctuation without a letter or digit is no part of a word: it is a mark like the others."""
    return Rule(rf"{BOUNDARY}([\p{{M}}{escaped(keep)}]+){BOUNDARY}", _MARK)
