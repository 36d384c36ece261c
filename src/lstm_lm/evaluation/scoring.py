"""How a model is scored: every held-out word but each document's first, once, in order, from zero state per document."""

import math

import numpy as np

ROWS = 64  # documents scored side by side
WINDOW = 256  # most words a call
LOGITS = 2**24  # most logits a call
PIECE = 2000  # words, of training text that is scored like held-out text


def score(score_window, initial_state, documents, vocabulary_size):
    """The cost of every word that is scored.

    Args:
        score_window: (ids int32 [batch, time], targets int32 [batch, time], state) -> (nats float32 [batch, time], next state).
        initial_state: batch size -> state [layers, 2, batch, hidden].
        documents: list of int32 [words].
    Returns:
        list of float32 [words - 1], nats per word, one array a document.
    """
    nats = [np.zeros(max(len(document) - 1, 0), np.float32) for document in documents]
    longest_first = sorted(range(len(documents)), key=lambda i: -len(documents[i]))
    for start in range(0, len(longest_first), ROWS):
        rows = [i for i in longest_first[start : start + ROWS] if len(nats[i])]
        if not rows:
            continue
        window = max(1, min(WINDOW, LOGITS // (len(rows) * vocabulary_size)))
        state = initial_state(len(rows))
        for begin in range(0, len(nats[rows[0]]), window):
            # Finished documents are the last rows, since the longest come first.
            active = sum(len(nats[i]) > begin for i in rows)
            state = state[:, :, :active]
            ids, targets = np.zeros([2, active, window], np.int32)
            for row, i in enumerate(rows[:active]):
                words = documents[i][begin : begin + window + 1]
                ids[row, : len(words) - 1] = words[:-1]
                targets[row, : len(words) - 1] = words[1:]
            scored, state = score_window(ids, targets, state)
            for row, i in enumerate(rows[:active]):
                part = nats[i][begin : begin + window]
                part[:] = np.asarray(scored[row])[: len(part)]
    return nats


def spread(lengths, words, piece=PIECE):
    """Pieces of some documents at even distances over all their words, to be scored each from zero state.

    Args:
        lengths: words of each document, in order.
        words: of all pieces together; all words, if there are no more.
        piece: words of each, about.
    Returns:
        [(document, start, stop), ...]: document's place in `lengths`, and which of its words, in order, none twice. A piece that
        lies across the border of two documents is cut there.
    """
    stops = np.cumsum(lengths)
    total = int(stops[-1])
    words = min(words, total)
    count = max(1, round(words / piece))
    sizes = np.linspace(0, words, count + 1).round().astype(int)
    skipped = np.linspace(0, total - words, count).round().astype(int)
    found = []
    for begin, end in zip(sizes[:-1] + skipped, sizes[1:] + skipped, strict=True):
        for document in range(np.searchsorted(stops, begin, side="right"), len(lengths)):
            first = stops[document] - lengths[document]
            if first >= end:
                break
            start, stop = max(begin, first), min(end, stops[document])
            if start < stop:
                found.append((document, int(start - first), int(stop - first)))
    return found


def figures(nats, held_out):
    """The figures of a split.

    Args:
        nats: what `score` returned for its documents.
        held_out: dataset.HeldOut, what is known about the split.
    Returns:
        dict: loss (nats per word, `<unk>` a word like any), perplexity = exp(loss), oov_rate (share of scored words
        that are `<unk>`), adjusted_perplexity (each `<unk>` costs ln(unknown_types) more: the price of saying which of the
        split's unknown words it was; Ueberla 1994), bits_per_character (those charges included, one space a word).
    Raises:
        ValueError: the number of costs is not the number of scored words.
    """
    count, cost = sum(map(len, nats)), math.fsum(float(np.sum(costs, dtype=np.float64)) for costs in nats)
    if count != held_out.scored_words:
        raise ValueError(f"{count} costs for {held_out.scored_words} scored words")
    found = from_sums(cost, count, held_out.unknown_words, held_out.unknown_types, held_out.characters)
    return {
        "loss": found["loss"],
        "perplexity": found["perplexity"],
        "oov_rate": held_out.unknown_words / count,
        "adjusted_perplexity": found["adjusted_perplexity"],
        "bits_per_character": found["bits_per_character"],
        "words": count,
    }


def from_sums(cost, words, unknown, unknown_types, characters):
    """The figures that are ratios of sums; each argument is a number, or an array of the same shape as the others.

    Args:
        cost: nats of all words. words, unknown, characters: how many. unknown_types: int, as in dataset.HeldOut.
    Returns:
        dict: loss, perplexity, adjusted_perplexity, bits_per_character; infinite where float64 ends.
    """
    charged = cost + unknown * (math.log(unknown_types) if unknown_types else 0.0)
    loss, adjusted = cost / words, charged / words
    with np.errstate(over="ignore"):
        perplexity, adjusted_perplexity = np.exp(loss), np.exp(adjusted)
    figures = {
        "loss": loss,
        "perplexity": perplexity,
        "adjusted_perplexity": adjusted_perplexity,
        "bits_per_character": charged / math.log(2) / characters,
    }
    return {name: float(value) if np.ndim(value) == 0 else value for name, value in figures.items()}
