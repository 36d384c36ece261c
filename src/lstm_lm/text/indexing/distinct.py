"""The distinct chunks of a text, found by pyarrow without holding Python's lock, so that threads run in parallel."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

KEY_BYTES = 8  # a chunk of at most so many bytes is compared as one integer
# FIRST_BYTES[n] keeps the first n bytes of such an integer.
FIRST_BYTES = np.array([2 ** (8 * length) - 1 for length in range(KEY_BYTES + 1)], "<u8")


def distinct_chunks(
    text: bytearray, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], list[bytes]]:
    """Find the distinct chunks of a text.

    Args:
        text: at least KEY_BYTES longer than the end of its last chunk.
        starts: int64 [chunks], their first bytes.
        stops: int64 [chunks], the bytes after their last ones.
    Returns:
        (int32 [chunks], the place of each chunk among the distinct ones; the distinct chunks)
    """
    # Short chunks, which are most of a text, are compared as integers: several times faster than as strings.
    lengths = stops - starts
    long = np.flatnonzero(lengths > KEY_BYTES)
    keys = _short_keys(text, starts, lengths)
    keys[long] = 0
    encoded_short = _array(pa.uint64(), len(keys), keys).dictionary_encode()
    distinct_short: list[bytes] = _values(encoded_short.dictionary, f"S{KEY_BYTES}").tolist()
    places = _values(encoded_short.indices, np.int32).copy()
    encoded_long = _strings(text, starts[long], stops[long]).dictionary_encode()
    places[long] = _values(encoded_long.indices, np.int32) + len(distinct_short)
    return places, distinct_short + encoded_long.dictionary.to_pylist()


def _short_keys(text: bytearray, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """The first bytes of each chunk as an integer, uint64 [chunks]."""
    every_position: npt.NDArray[np.uint64] = np.ndarray(len(text) - KEY_BYTES + 1, "<u8", text, strides=(1,))
    keys: npt.NDArray[np.uint64] = every_position[starts] & FIRST_BYTES[np.minimum(lengths, KEY_BYTES)]
    return keys


def _strings(text: bytearray, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]) -> Any:
    """The chunks as a pyarrow array of strings, without a copy of the text."""
    # Neighbours share an offset in pyarrow, so every other string is the gap after a chunk.
    offsets = np.full(2 * len(starts) + 1, len(text))
    offsets[:-1:2], offsets[1::2] = starts, stops
    with_gaps = _array(pa.large_binary(), len(offsets) - 1, offsets, text)
    return with_gaps.take(_array(pa.int64(), len(starts), np.arange(0, 2 * len(starts), 2)))


def _array(dtype: Any, length: int, *buffers: Any) -> Any:
    """A pyarrow array over existing memory. (`pyarrow.array` would import pandas, which takes longer than a short text.)"""
    return pa.Array.from_buffers(dtype, length, [None, *map(pa.py_buffer, buffers)])


def _values(array: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The values of a pyarrow array of numbers. (Its own `to_numpy` would import pandas.)"""
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * np.dtype(dtype).itemsize)
