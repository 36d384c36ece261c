"""Text that comes in parts, broken between words where a window ends."""

import re
import shutil
from collections.abc import Callable

PIECES = re.compile(r"\n|[^\S\n]+|\S+")


def window_width() -> int:
    """Return the number of columns of the terminal now."""
    return shutil.get_terminal_size().columns


class WordWrap:
    """Adds newlines to a text that is printed as it comes, so that no word is broken.

    The first part of a word is printed before it is known whether the rest fits. If it does not, the part is erased and repeated on the
    next line.

    Args:
        width: returns the number of columns. It is asked again and again, because a window changes its size.
    """

    def __init__(self, width: Callable[[], int] = window_width) -> None:
        self._width = width
        self._column = 0  # where the cursor is
        self._word = ""  # the part of the last word that is on the screen
        self._space = ""  # after it, printed only if a word follows on the same line

    def add(self, text: str) -> str:
        """Return what to print for the next part of the text."""
        return "".join(map(self._add_piece, PIECES.findall(text)))

    def _add_piece(self, piece: str) -> str:
        from rich.cells import cell_len

        if piece == "\n":
            self._column, self._word, self._space = 0, "", ""
            return piece
        if piece.isspace():
            self._space += piece
            self._word = ""
            return ""
        space, word, self._space = self._space, self._word, ""
        limit = self._width() - 1  # in the last column, terminals differ in where the cursor is
        needed, drawn = cell_len(space) + cell_len(piece), cell_len(word)
        self._word = word + piece
        if self._column + needed <= limit or self._column == drawn:  # a word that fills a line cannot be helped
            self._column += needed
            return space + piece
        self._column = drawn + cell_len(piece)
        return "\b" * drawn + " " * drawn + "\n" + word + piece
