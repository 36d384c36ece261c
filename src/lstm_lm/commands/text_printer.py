"""Texts on standard output while they are generated."""

import string
import sys
from collections.abc import Iterable
from typing import NamedTuple

from lstm_lm.ui.word_wrap import WordWrap


class Part(NamedTuple):
    """The next part of one of several texts.

    Attributes:
        number: of the text, from 0.
        text: to append.
        is_last: whether the text is complete.
    """

    number: int
    text: str
    is_last: bool


class TextPrinter:
    """Prints texts one after the other, each on a line of its own. The first that is not complete is printed as its parts come.

    White space around a text is left out, as the SavedModel does. On a terminal, each part is shown at once, lines break between
    words, and an empty line separates texts; through a pipe, a text is one line, and there are no others.
    """

    def __init__(self) -> None:
        """Start with text 0."""
        self._number = 0
        self._waiting: dict[int, list[Part]] = {}  # of texts whose turn has not come
        self._space = ""  # that is printed only if something follows
        self._has_begun = False
        self._is_new = True  # nothing of the text has come
        self._is_live = sys.stdout.isatty()
        self._wrap = WordWrap()

    def print_all(self, parts: Iterable[Part]) -> None:
        """Print texts until all parts have come. If that ends early, as by Ctrl-C, what was printed stays on a line of its own."""
        try:
            for part in parts:
                self._waiting.setdefault(part.number, []).append(part)
                while waiting := self._waiting.pop(self._number, None):
                    self._print(waiting)
        finally:
            if self._has_begun:
                sys.stdout.write("\n")
            sys.stdout.flush()

    def _print(self, parts: list[Part]) -> None:
        """Print parts of the text whose turn it is."""
        text = self._space + "".join(part.text for part in parts)
        if not self._has_begun:
            text = text.lstrip(string.whitespace)
        shown = text.rstrip(string.whitespace)
        self._space = text[len(shown) :]
        if self._is_live and self._number and self._is_new:
            sys.stdout.write("\n")
        self._is_new = False
        if shown:
            sys.stdout.write(self._wrap.add(shown) if self._is_live else shown)
            self._has_begun = True
        if parts[-1].is_last:
            sys.stdout.write("\n")
            self._number, self._space, self._has_begun, self._is_new = self._number + 1, "", False, True
            self._wrap = WordWrap()
        if self._is_live:
            sys.stdout.flush()
