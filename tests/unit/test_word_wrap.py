"""Wrapped text as a screen shows it."""

import itertools

import pytest

from lstm_lm.ui.word_wrap import WordWrap

TEXT = "thou art more lovely and more temperate: rough winds do shake the darling buds of may"


def screen(printed: str) -> list[str]:
    """Return the lines that a terminal shows."""
    lines, column = [""], 0
    for character in printed:
        if character == "\n":
            lines.append("")
            column = 0
        elif character == "\b":
            column -= 1
        else:
            lines[-1] = lines[-1][:column] + character + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("width", [12, 20, 40])
def test_no_word_is_broken_whatever_the_parts(size: int, width: int) -> None:
    wrap = WordWrap(lambda: width)
    lines = screen("".join(wrap.add(TEXT[start : start + size]) for start in range(0, len(TEXT), size)))
    assert " ".join(lines).split() == TEXT.split()
    assert all(len(line) < width for line in lines)
    for line, following in itertools.pairwise(lines):
        assert len(f"{line} {following.split()[0]}") >= width  # no line ends early


def test_each_part_is_printed_at_once() -> None:
    wrap = WordWrap(lambda: 12)
    assert [wrap.add(part) for part in ("thou", " art", " mo", "re", "\n", "lovely")] == [
        "thou",
        " art",
        " mo",
        "\b\b  \nmore",
        "\n",
        "lovely",
    ]


def test_a_word_wider_than_the_window_is_left_to_the_terminal() -> None:
    wrap = WordWrap(lambda: 6)
    assert wrap.add("a ") + wrap.add("abcdefghij") + wrap.add("k b") == "a\nabcdefghijk\nb"


def test_wide_letters_take_two_columns() -> None:
    wrap = WordWrap(lambda: 8)
    assert wrap.add("日本 日本") == "日本\n日本"
