"""The scoring protocol: every held-out word but each document's first, once, in order, from the zero state per document."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

MAX_ROWS = 64  # documents scored side by side
MAX_WINDOW = 256  # words per call
MAX_LOGITS = 2**24  # logits per call
PIECE_WORDS = 2000  # of training text that is scored like held-out text

ScoreWindow = Callable[[np.ndarray, np.ndarray, Any], tuple[Any, Any]]


def score(
    score_window: ScoreWindow, initial_state: Callable[[int], Any], documents: Sequence[np.ndarray], vocabulary_size: int
) -> list[np.ndarray]:
    """Score documents with a model.

    Args:
        score_window: (ids int32 [batch, time], targets int32 [batch, time], state) -> (nats float32 [batch, time], next state).
        initial_state: batch size -> state [layers, 2, batch, hidden].
        documents: int32 [words] each.
        vocabulary_size: limits how many logits are computed at a time.
    Returns:
        float32 [words - 1] for each document: nats per word.
    """
    nats = [np.zeros(max(len(document) - 1, 0), np.float32) for document in documents]
    longest_first = sorted(range(len(documents)), key=lambda i: -len(documents[i]))
    for start in range(0, len(longest_first), MAX_ROWS):
        rows = [i for i in longest_first[start : start + MAX_ROWS] if len(nats[i])]
        if not rows:
            continue
        window = max(1, min(MAX_WINDOW, MAX_LOGITS // (len(rows) * vocabulary_size)))
        state = initial_state(len(rows))
        for begin in range(0, len(nats[rows[0]]), window):
            # Finished documents are the last rows, since the longest come first.
            active = rows[: sum(len(nats[i]) > begin for i in rows)]
            state = state[:, :, : len(active)]
            ids, targets = _stack([documents[i][begin : begin + window + 1] for i in active], window)
            scored, state = score_window(ids, targets, state)
            for row, i in enumerate(active):
                part = nats[i][begin : begin + window]
                part[:] = np.asarray(scored[row])[: len(part)]
    return nats


def _stack(pieces: Sequence[np.ndarray], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the (inputs, targets) of pieces of at most window + 1 words, padded with zeros: int32 [pieces, window]."""
    ids, targets = np.zeros([2, len(pieces), window], np.int32)
    for row, words in enumerate(pieces):
        ids[row, : len(words) - 1] = words[:-1]
        targets[row, : len(words) - 1] = words[1:]
    return ids, targets


def total_nats(nats: Sequence[np.ndarray], scored: int) -> float:
    """Add up what `score` returned, exactly.

    Args:
        nats: one array per document.
        scored: how many words must have been scored.
    Raises:
        ValueError: another number of words has been scored.
    """
    count = sum(map(len, nats))
    if count != scored:
        raise ValueError(f"{count} costs for {scored} scored words")
    return math.fsum(float(np.sum(of_document, dtype=np.float64)) for of_document in nats)


def mean_nats(nats: Sequence[np.ndarray], scored: int) -> float:
    """Return the loss in nats per word. Arguments and errors are those of `total_nats`."""
    return total_nats(nats, scored) / scored


def spread_pieces(lengths: Sequence[int], words: int, piece_words: int = PIECE_WORDS) -> list[tuple[int, int, int]]:
    """Choose pieces of documents at even distances over all their words, each to be scored from the zero state.

    Args:
        lengths: words of each document, in order.
        words: of all pieces together; all words, if there are no more.
        piece_words: approximate length of a piece.
    Returns:
        (document, start, stop) of each piece: the document's place in `lengths`, and which of its words. Pieces are in order and do
        not overlap; one that crosses the border of two documents is split there.
    """
    stops = np.cumsum(lengths)
    total = int(stops[-1])
    words = min(words, total)
    count = max(1, round(words / piece_words))
    sizes = np.linspace(0, words, count + 1).round().astype(int)
    skipped = np.linspace(0, total - words, count).round().astype(int)
    pieces = []
    for begin, end in zip(sizes[:-1] + skipped, sizes[1:] + skipped, strict=True):
        for document in range(int(np.searchsorted(stops, begin, side="right")), len(lengths)):
            first = stops[document] - lengths[document]
            if first >= end:
                break
            start, stop = max(begin, first), min(end, stops[document])
            if start < stop:
                pieces.append((document, int(start - first), int(stop - first)))
    return pieces
