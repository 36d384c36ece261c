"""Files of text -> numbers of words: what vocabulary.Tokenizer gives, in blocks and on several cores.

A block of text is cut into chunks at the characters that the tokenizer takes for separators, with NumPy on its UTF-8 bytes. pyarrow
numbers the distinct chunks without holding Python's lock, so that threads work side by side, and only those are looked at one by one.
"""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from lstm_lm.text.tokenization.rules import LINE_END

BLOCK = 4 * 2**20  # bytes of text that are cut at a time
PLAIN_BLOCK = 2**20  # the same, of PlainNumbering
MOST_THREADS = 4  # the words are numbered by one
SPACE, HYPHEN = b" "[0], b"-"[0]
SIGMA = "Σ".encode()
# Characters of more than one byte in UTF-8: from which first byte to which, and how many bytes.
WIDTHS = ((0xC0, 0xE0, 2), (0xE0, 0xF0, 3), (0xF0, 0xF8, 4))
UNDECIDED, IN_WORDS, SEPARATOR = range(3)
NO_WORD = -1
KEY = 8  # bytes of a chunk that are compared as one integer
FIRST_BYTES = np.array([2 ** (8 * length) - 1 for length in range(KEY + 1)], "<u8")


def numbering(tokenizer):
    """What numbers the words of a tokenizer: the faster way, if it can be gone."""
    return Numbering(tokenizer) if tokenizer.plain_words else PlainNumbering(tokenizer)


class Numbering:
    """Numbers words as they come, block by block.

    Attributes:
        words: list of bytes, the words in UTF-8; their places are their numbers.
    """

    def __init__(self, tokenizer):
        """tokenizer: vocabulary.Tokenizer, whose words these are."""
        self.words = []
        self._tokenizer = tokenizer
        self._numbers = {}  # of chunks: most are words, others differ from theirs in case, or hold none
        self._dashes = "-" in tokenizer.keep_punctuation
        # Only this letter's lower case depends on the letters around it.
        self._sigma = tokenizer.lowercase
        self._decided = np.zeros(0x110000, np.uint8)
        self._cuts = {}
        table = bytearray(range(256))
        for byte in range(128):
            character = chr(byte)
            table[byte] = SPACE if self._separates(character) else ord(character.lower() if tokenizer.lowercase else character)
        self._table = bytes(table)
        self._marks = tokenizer.keep_punctuation.encode()

    def of(self, files, threads=None, block=BLOCK):
        """Number the words of files, one document each.

        Args:
            files: list of paths of UTF-8 text.
            threads: how many blocks are cut at the same time; None: as many as there are cores.
            block: bytes of text a block; longer where there is no place to cut.
        Yields:
            (numbers, int32 [words]; [(place in `files`, words), ...]: which documents they are of), in order.
        """
        threads = threads or min(cores(), MOST_THREADS)
        with ThreadPoolExecutor(threads) as pool:
            waiting = deque()
            for parts in read_blocks(files, self._last_cut, block):
                waiting.append(([place for place, _ in parts], pool.submit(self._chunks, [part for _, part in parts])))
                if len(waiting) > threads:
                    yield self._number(*waiting.popleft())
            while waiting:
                yield self._number(*waiting.popleft())

    def of_words(self, words):
        """The numbers of words, a list of str; those that have not come are left out."""
        found = (self._numbers.get(word.encode(), NO_WORD) for word in words)
        return [number for number in found if number != NO_WORD]

    def pieces(self):
        """The words as they are written, list of str."""
        return [f" {word.decode()}" for word in self.words]

    def lengths(self):
        """Characters of each word: int32 [words]."""
        return np.fromiter((len(word) if word.isascii() else len(word.decode()) for word in self.words), np.int32, len(self.words))

    def _chunks(self, parts):
        """Cut texts that belong together into chunks.

        Args:
            parts: list of bytes; a word is never in two of them.
        Returns:
            (int32 [chunks]: which of the distinct ones each is, list of bytes: the distinct ones, int64 [parts]: chunks up to the
            end of each part)
        """
        if self._sigma and any(SIGMA in part for part in parts):
            parts = [part.decode().lower().encode() for part in parts]
        # A space at the start, and enough at the end to read a whole key at the last chunk.
        text = bytearray(b"\n").join([b"", *parts, b" " * KEY]).translate(self._table)
        letters = np.frombuffer(text, np.uint8)
        if self._dashes and b"--" in text:
            hyphen = letters == HYPHEN
            dash = np.flatnonzero(hyphen[:-1] & hyphen[1:])
            letters[dash] = SPACE
            letters[dash + 1] = SPACE
        if not text.isascii():
            self._blank_separators(letters)
        gap = letters == SPACE
        edges = np.flatnonzero(gap[:-1] != gap[1:]) + 1
        starts, stops = edges[::2], edges[1::2]
        numbers, distinct = _equal_chunks(text, starts, stops)
        return numbers, distinct, np.searchsorted(starts, np.cumsum([len(part) + 1 for part in parts]))

    def _blank_separators(self, letters):
        """Put spaces in place of the separators that are not ASCII. letters: uint8 [bytes], changed in place."""
        high = np.flatnonzero(letters >= WIDTHS[0][0])
        firsts = letters[high]
        for low, stop, width in WIDTHS:
            at = high[(firsts >= low) & (firsts < stop)]
            if not len(at):
                continue
            points = letters[at].astype(np.int32) & (0x7F >> width)
            for i in range(1, width):
                points = points << 6 | letters[at + i] & 0x3F
            decided = self._decided[points]
            if not decided.all():
                for point in np.unique(points[decided == UNDECIDED]):
                    # More than one thread may come here with the same character: they find the same.
                    self._decided[point] = SEPARATOR if self._separates(chr(point)) else IN_WORDS
                decided = self._decided[points]
            at = at[decided == SEPARATOR]
            for i in range(width):
                letters[at + i] = SPACE

    def _separates(self, character):
        return self._tokenizer.words(f"a{character}b") == ["a", "b"]

    def _last_cut(self, text):
        """Where bytes of a text may be cut at the latest without a change to its words: after so many bytes, 0: nowhere."""
        at = max(text.rfind(b" "), text.rfind(b"\n"))
        if at >= 0:
            return at + 1
        # Other separators will do, but an apostrophe or a full stop may decide the lower case of a letter before it.
        for character in set(text.decode(errors="ignore")).difference(self._cuts):
            self._cuts[character] = self._tokenizer.words(f"aΣ{character}a") == [*self._tokenizer.words("aΣ"), "a"]
        there = [character.encode() for character in set(text.decode(errors="ignore")) if self._cuts[character]]
        return max((text.rfind(character) + len(character) for character in there), default=0)

    def _number(self, places, cut):
        chunks, distinct, ends = cut.result()
        known = zip(distinct, map(self._numbers.get, distinct), strict=True)
        table = np.array([self._number_new(chunk) if number is None else number for chunk, number in known], np.int32)
        numbers = table[chunks]
        if len(table) and table.min() < 0:
            none = np.flatnonzero(numbers < 0)
            ends = ends - np.searchsorted(none, ends)
            numbers = np.delete(numbers, none)
        counts = np.diff(ends, prepend=0).tolist()
        return numbers, list(zip(places, counts, strict=True))

    def _number_new(self, chunk):
        """Of a chunk that has not come before, or whose number this block has just made."""
        word = self._word(chunk)
        number = NO_WORD if word is None else self._numbers.setdefault(word, len(self.words))
        self._numbers[chunk] = number
        if number == len(self.words):
            self.words.append(word)
        return number

    def _word(self, chunk):
        """The word in a chunk without separators: bytes, or None."""
        if chunk.isascii():
            return chunk if chunk.isalnum() or chunk.strip(self._marks) else None
        text = chunk.decode()
        if self._tokenizer.lowercase:
            text = text.lower()
        if not text.isalpha():
            words = self._tokenizer.words(text)
            if not words:
                return None
            [text] = words
        return text.encode()


class PlainNumbering:
    """Numbers words as `Numbering` does, but by the tokenizer itself: for words that are not just what stands between separators.

    Where the unit is not the word, what is numbered are the words as they are written, `Tokenizer.pieces`.
    """

    def __init__(self, tokenizer):
        self.words = []
        self._tokenizer = tokenizer
        self._numbers = {}

    def of(self, files, block=PLAIN_BLOCK):
        """As `Numbering.of`, one block after the other. A file that does not end with a line end is numbered as if it did."""
        at, before, open_line = None, "", False
        for parts in read_blocks(files, _last_white_space, block):
            numbers, counts = [], []
            for place, part in parts:
                if place != at:
                    self._close_line(open_line, at, before, numbers, counts)
                    at, before, open_line = place, self._tokenizer.start, False
                words = self._tokenizer.words(part.decode())
                open_line = not part.endswith(b"\n") if part else open_line
                self._append(words, place, before, numbers, counts)
                before = words[-1] if words else before
            yield np.array(numbers, np.int32), counts
        numbers, counts = [], []
        self._close_line(open_line, at, before, numbers, counts)
        if counts:
            yield np.array(numbers, np.int32), counts

    def pieces(self):
        """The words as they are written, list of str."""
        return [word.decode() for word in self.words]

    def of_words(self, words):
        """The numbers of words, a list of str; those that have not come are left out."""
        return [self._numbers[word] for word in words if word in self._numbers]

    def _close_line(self, open_line, place, before, numbers, counts):
        if open_line and self._tokenizer.newlines:
            self._append([LINE_END], place, before, numbers, counts)

    def _append(self, words, place, before, numbers, counts):
        if self._tokenizer.unit != "word":
            words = self._tokenizer.pieces(words, before)
        for word in words:
            number = self._numbers.setdefault(word, len(self.words))
            if number == len(self.words):
                self.words.append(word.encode())
            numbers.append(number)
        counts.append((place, len(words)))


def _last_white_space(text):
    return max(text.rfind(b" "), text.rfind(b"\n")) + 1


def _equal_chunks(text, starts, stops):
    """Which chunks of a text are equal.

    Args:
        text: bytearray, at least KEY bytes longer than its last chunk.
        starts, stops: int64 [chunks], the bytes of each.
    Returns:
        (int32 [chunks], list of bytes): the first are places in the second.
    """
    # Short ones, which are most of a text, are compared as one integer each: several times faster than as strings.
    lengths = stops - starts
    long = np.flatnonzero(lengths > KEY)
    keys = np.ndarray(len(text) - KEY + 1, "<u8", text, strides=(1,))[starts] & FIRST_BYTES[np.minimum(lengths, KEY)]
    keys[long] = 0
    short = _array(pa.uint64(), len(keys), keys).dictionary_encode()
    distinct = _values(short.dictionary, f"S{KEY}").tolist()
    numbers = _values(short.indices, np.int32).copy()
    # pyarrow's strings leave nothing out between them: every other one is what follows a chunk.
    offsets = np.full(2 * len(long) + 1, len(text))
    offsets[:-1:2], offsets[1::2] = starts[long], stops[long]
    strings = _array(pa.large_binary(), len(offsets) - 1, offsets, text)
    strings = strings.take(_array(pa.int64(), len(long), np.arange(0, 2 * len(long), 2))).dictionary_encode()
    numbers[long] = _values(strings.indices, np.int32) + len(distinct)
    return numbers, distinct + strings.dictionary.to_pylist()


def _array(kind, length, *buffers):
    """A pyarrow array over the memory of others. (`pyarrow.array` imports pandas, which takes longer than a short text.)"""
    return pa.Array.from_buffers(kind, length, [None, *map(pa.py_buffer, buffers)])


def _values(array, dtype):
    """What a pyarrow array of numbers holds. (Its own `to_numpy` imports pandas too.)"""
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * np.dtype(dtype).itemsize)


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_blocks(files, last_cut, size):
    """Read files in blocks that cut no word.

    Args:
        files: list of paths.
        last_cut: bytes -> where they may be cut, 0: nowhere.
        size: bytes a block, about; more if there is no place to cut.
    Yields:
        lists of (place in `files`, bytes): small files are together in one, a large one is in several.
    """
    block, held = [], 0
    for place, path in enumerate(files):
        pieces = []
        with path.open("rb") as file:
            while piece := file.read(size):
                held += len(piece)
                cut = last_cut(piece) if held >= size else 0
                if cut:
                    yield [*block, (place, b"".join([*pieces, piece[:cut]]))]
                    block, pieces, held = [], [piece[cut:]], len(piece) - cut
                else:
                    pieces.append(piece)
        block.append((place, b"".join(pieces)))
        if held >= size:
            yield block
            block, held = [], 0
    if block:
        yield block
