"""int32 arrays on disk, larger than memory: written in blocks, read memory-mapped."""

import math
import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 2**21  # values held in memory at a time
DTYPE = np.dtype("<i4")

Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Blocks:
    """An array that is never in memory as a whole.

    Attributes:
        shape: of the whole array.
        blocks: int32 arrays of any shape and length, the array's values in order. An iterator can be used once.
    """

    shape: tuple[int, ...]
    blocks: Iterable[Int32Array]


def save(path: str | Path, array: Int32Array | Blocks) -> None:
    """Write an array or `Blocks` as a .npy file: the same bytes either way.

    Raises:
        ValueError: the blocks do not fill the shape.
    """
    if not isinstance(array, Blocks):
        array = Blocks(np.shape(array), [array])
    with Writer(path, array.shape) as writer:
        for block in array.blocks:
            writer.append(block)


class Writer:
    """A .npy file of int32 that is written piece by piece.

    A context manager: the file is valid after the end of its block.

    Args:
        path: of the file.
        shape: of the whole array; None: one dimension, as long as the values that are appended.
    """

    def __init__(self, path: str | Path, shape: tuple[int, ...] | None = None) -> None:
        self.shape, self.size = shape, 0
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 (closed by __exit__)
        self._write_header(shape or (0,))

    def append(self, values: npt.ArrayLike) -> None:
        """Write more values."""
        values = np.ascontiguousarray(values, DTYPE)
        if values.size:
            _write(self._file, values)
        self.size += values.size

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, error: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        with self._file:
            if error is not None:
                return
            if self.shape is None:
                # NumPy leaves room in the header for the longest first dimension, so the values stay where they are.
                self._file.seek(0)
                self._write_header((self.size,))
            elif self.size != math.prod(self.shape):
                raise ValueError(f"{self.size} values for an array of shape {self.shape}")

    def _write_header(self, shape: tuple[int, ...]) -> None:
        header: dict[str, Any] = {"descr": np.lib.format.dtype_to_descr(DTYPE), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


def load(path: str | Path) -> np.memmap[Any, np.dtype[np.int32]]:
    """Open a .npy file as a read-only array that stays on disk."""
    array: np.memmap[Any, np.dtype[np.int32]] = np.load(path, mmap_mode="r")
    return array


def release(array: Int32Array) -> None:
    """Free the memory of a memory-mapped array; its values are read from the disk again when they are used.

    The system frees it too, but only when memory is short: until then it counts as the process's. Arrays that are not
    memory-mapped are left alone.

    Args:
        array: the whole memory-mapped array, or any part of it.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def blocks(array: Int32Array, start: int = 0, stop: int | None = None, size: int = BLOCK) -> Iterator[Int32Array]:
    """Yield array[start:stop] in order, `size` values at a time, and keep no more than those in memory."""
    stop = len(array) if stop is None else stop
    for begin in range(start, stop, size):
        yield array[begin : min(begin + size, stop)]
        release(array)


def replace_values(path: str | Path, table: Int32Array, size: int = BLOCK) -> None:
    """Replace every value of a .npy file of one dimension by table[value], in place.

    Args:
        path: of the file.
        table: int32 [largest value + 1].
        size: values held in memory at a time.
    """
    values = load(path)
    with Path(path).open("r+b", buffering=0) as file:
        file.seek(values.offset)
        for block in blocks(values, size=size):
            _write(file, np.ascontiguousarray(table[block], DTYPE))


def _write(file: FileIO, values: Int32Array) -> None:
    remaining = values.data.cast("B")
    while remaining:  # an unbuffered file may write less than it is given
        remaining = remaining[file.write(remaining) :]
