"""Files in blocks of about one size, none of which ends inside a word."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class FilePart(NamedTuple):
    """A part of a file, or all of it.

    Attributes:
        file: position of the file in the list of files.
        content: its bytes.
    """

    file: int
    content: bytes


def read_blocks(files: Sequence[Path], last_split: Callable[[bytes], int], size: int) -> Iterator[list[FilePart]]:
    """Read files in blocks.

    Args:
        files: the files, in order.
        last_split: the last position at which a text can be split without changing its words; 0: there is none.
        size: bytes of a block, about; a block without a position to split it at is longer.
    Yields:
        Parts of files in order: small files share a block, a large one is in several.
    """
    block: list[FilePart] = []
    bytes_read = 0  # since the last block
    for number, path in enumerate(files):
        pieces: list[bytes] = []
        with path.open("rb") as file:
            while piece := file.read(size):
                bytes_read += len(piece)
                at = last_split(piece) if bytes_read >= size else 0
                if at:
                    yield [*block, FilePart(number, b"".join([*pieces, piece[:at]]))]
                    block, pieces, bytes_read = [], [piece[at:]], len(piece) - at
                else:
                    pieces.append(piece)
        block.append(FilePart(number, b"".join(pieces)))
        if bytes_read >= size:
            yield block
            block, bytes_read = [], 0
    if block:
        yield block


def last_white_space(text: bytes) -> int:
    """The position after the last space or newline; 0: there is none."""
    return max(text.rfind(b" "), text.rfind(b"\n")) + 1
