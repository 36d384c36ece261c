"""How text is cut into words, and how words are put together again as people write them.

All rules are regular expressions that RE2 and Python's `regex` read alike: the SavedModel's graph applies the same ones. They are applied
in order; words are then split at spaces.
"""

LINE_END = "<eos>"  # the word that a line end is, as in the corpora of language modelling
UNKNOWN = "<unk>"
# Of a mark that is not written as its kind usually is: it touches the word on the side on which this stands.
JOINER = "\uffed"
# Characters for private use, which stand for what must not be mistaken for text. They are taken out of the text first.
EDGE, LINE, SPELT = "\ue000", "\ue001", "\ue002"  # of a word; a line end; `<unk>` where it is one character
REPLACEMENT = "\ufffd"
# Marks that usually touch the word before them, and the one after them.
CLOSING, OPENING = ".,;:!?)]}\u2026", "([{"
# Where Python's str.split() cuts.
WHITE_SPACE = "\t\n\x0b\x0c\r\x1c-\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
QUOTES = [("[\u2018\u2019\u201b]", "'"), ("[\u201c\u201d\u201f]", '"')]


def before_lower_case(punctuation, newlines):
    """Rules for the text as it comes, before it is lower-cased."""
    if punctuation == "drop" and not newlines:
        return []
    left = "" if punctuation == "drop" else JOINER
    as_is = punctuation == "as_is"
    return [
        (f"[{EDGE}{LINE}{SPELT}{'' if as_is else left}]", REPLACEMENT if as_is else " "),
        *([("\r\n?|\n", f" {LINE} ")] if newlines else []),
        # In the graph the others would become replacement characters, which are marks.
        *([("[\\x00-\\x1f]", " ")] if punctuation == "separate" else []),
        *([(f"[{WHITE_SPACE}]+", " "), ("[\\x00-\\x08\\x0e-\\x1b]", REPLACEMENT)] if as_is else []),
    ]


def words(punctuation, keep, newlines):
    """Rules that leave words with single spaces between them.

    Args:
        punctuation: drop: marks separate words; separate: each is a word of its own; as_is: white space alone separates words.
        keep: marks that stay inside words.
        newlines: whether a line end is a word.
    """
    line = LINE if newlines else ""
    ending = [(LINE, LINE_END)] if newlines else []
    if punctuation == "as_is":
        return ending
    kept = in_class(keep)
    if punctuation == "separate":
        return [*QUOTES, *_separated(kept, "-" in keep, line), *ending]
    return [
        *QUOTES,
        *([("--+", " ")] if "-" in keep else []),
        (rf"[^\p{{L}}\p{{M}}\p{{N}}{kept}{line}]+", " "),
        # Each run is one match, so that neighbouring ones need not share the space between them.
        (rf"(?:^| )[\p{{M}}{kept}]+(?: [\p{{M}}{kept}]+)*(?: |$)", " "),
        *ending,
    ]


def _separated(kept, dashes, line):
    r"""Each mark becomes a word. It says by JOINER on which sides it touches a word, unless that is as its kind usually does.

    Of two marks in a row the second says so, but for an opening one: `."` is `.` and `￭"`, `("` is `(` and `"`.
    """
    mark = rf"{EDGE}{JOINER}\1{JOINER}{EDGE}"
    closing, opening = in_class(CLOSING), in_class(OPENING)
    return [
        (rf"[^\p{{L}}\p{{M}}\p{{N}}\p{{P}}\p{{S}}{line}]+", " "),
        *([("(--+)", mark)] if dashes else []),
        (rf"([^\p{{L}}\p{{M}}\p{{N}} {EDGE}{JOINER}{kept}{line}])", mark),
        # Every word has two edges of its own at a space, so that neighbours need not share one in the rules that follow.
        (" +", f"{EDGE} {EDGE}"),
        ("(?s)^(.*)$", rf"{EDGE}\1{EDGE}"),
        (rf"{EDGE}([\p{{M}}{kept}]+){EDGE}", mark) if kept else (rf"{EDGE}(\p{{M}}+){EDGE}", mark),
        (f"{JOINER}{EDGE}+( |$)", rf"{EDGE}\1"),
        (f"(^| ){EDGE}+{JOINER}", rf"\1{EDGE}"),
        (f"([{opening}]){JOINER}{EDGE}+{JOINER}", rf"\1{JOINER}{EDGE}{EDGE}"),
        (f"{JOINER}{EDGE}+{JOINER}", f"{EDGE}{EDGE}{JOINER}"),
        (f"{EDGE}{JOINER}([{closing}]){EDGE}", rf"{EDGE}\1{EDGE}"),
        (f"{EDGE}([{opening}]){JOINER}{EDGE}", rf"{EDGE}\1{EDGE}"),
        (f"[ {EDGE}]+", " "),
    ]


def spelling(word, punctuation, newlines):
    """How a word is written.

    Returns:
        (its characters; whether it touches the word before it; whether it touches the one after it)
    """
    if word == LINE_END and newlines:
        return "\n", True, True
    if punctuation != "separate":
        return word, False, False
    if len(word) == 1:
        return word, word in CLOSING, word in OPENING
    return word.strip(JOINER), word.startswith(JOINER), word.endswith(JOINER)


def joined(punctuation, newlines, unit):
    """Rules that put words together as `spelling` says, each written as EDGE, word, EDGE, with single spaces between them. EDGEs
    are left where words begin and end. For subwords the space after a line end is left too."""
    rules = []
    if punctuation == "separate":
        rules = [
            (f" {EDGE}([{in_class(CLOSING)}]){EDGE}", rf"{EDGE}\1{EDGE}"),
            (f"{EDGE}([{in_class(OPENING)}]){EDGE} ", rf"{EDGE}\1{EDGE}"),
            (f" {EDGE}{JOINER}", EDGE),
            (f"{JOINER}{EDGE} ", EDGE),
            (JOINER, ""),
        ]
    line_end = f" ?{EDGE}{LINE_END}{EDGE}{'' if unit == 'subword' else ' ?'}"
    return [*rules, *([(line_end, f"{EDGE}\n{EDGE}")] if newlines else [])]


def in_class(marks):
    """Marks as they stand inside the brackets of a character class."""
    # RE2 knows a backslash only before ASCII marks.
    return "".join(f"\\{mark}" if mark.isascii() else mark for mark in marks)
