"""int32 arrays on disk, larger than memory: written in blocks, read memory-mapped."""

import math
import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 2**21  # values held in memory at a time
DTYPE = np.dtype("<i4")


@dataclass(frozen=True)
class Blocks:
    """An array that is never whole in memory.

    Attributes:
        shape: of the whole.
        blocks: iterable of int32 arrays of any shape and length: its values in order. It can be used up.
    """

    shape: tuple
    blocks: Iterable


def save(path, array):
    """Write an array, or `Blocks`, as a .npy file: the same bytes either way.

    Raises:
        ValueError: the blocks do not fill the shape.
    """
    if not isinstance(array, Blocks):
        array = Blocks(np.shape(array), [array])
    with Writer(path, array.shape) as writer:
        for block in array.blocks:
            writer.append(block)


class Writer:
    """A .npy file of int32 that is written piece by piece; a context manager, the file is valid when it has ended."""

    def __init__(self, path, shape=None):
        """shape: of the whole array; None: one dimension, as long as what is appended."""
        self.shape, self.size = shape, 0
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 (closed by __exit__)
        self._write_header(shape or (0,))

    def append(self, values):
        values = np.ascontiguousarray(values, DTYPE)
        if values.size:
            _write(self._file, values)
        self.size += values.size

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        with self._file:
            if error is not None:
                return
            if self.shape is None:
                # NumPy leaves room in the header for the longest first dimension, so the values stay where they are.
                self._file.seek(0)
                self._write_header((self.size,))
            elif self.size != math.prod(self.shape):
                raise ValueError(f"{self.size} values for an array of shape {self.shape}")

    def _write_header(self, shape):
        about = {"descr": np.lib.format.dtype_to_descr(DTYPE), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(self._file, about)


def load(path):
    """A .npy file as a read-only array that stays on disk."""
    return np.load(path, mmap_mode="r")


def release(array):
    """Drop what a memory-mapped array, or any part of it, keeps in memory; it is read again from the disk when it is used.

    The system would drop it too, but only when memory is short: until then it counts as the process's. Other arrays are left
    alone.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def blocks(array, start=0, stop=None, size=BLOCK):
    """Yield array[start:stop] in order, `size` values at a time, and keep no more than those in memory."""
    stop = len(array) if stop is None else stop
    for begin in range(start, stop, size):
        yield array[begin : min(begin + size, stop)]
        release(array)


def replace_values(path, table, size=BLOCK):
    """Put table[value] in place of every value of a .npy file of one dimension.

    Args:
        path: of the file, which is changed in place.
        table: int32 [largest value + 1].
        size: values held in memory at a time.
    """
    values = load(path)
    with Path(path).open("r+b", buffering=0) as file:
        file.seek(values.offset)
        for block in blocks(values, size=size):
            _write(file, np.ascontiguousarray(table[block], DTYPE))


def _write(file, values):
    # An unbuffered file may take less than it is given.
    left = memoryview(values).cast("B")
    while left:
        left = left[file.write(left) :]
