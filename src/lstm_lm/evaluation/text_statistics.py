"""What written texts are like: do they repeat themselves, how rich are they, are they written or copied? NumPy only.

A text is int [words], of ids. n-grams do not go from one text to the next. Ratios over nothing are NaN.
"""

import numpy as np

from lstm_lm.evaluation.ngrams import Table, concatenated

BLOCK = 2**20  # words of the training text that are looked up at a time
COPIED = (4, 8)  # words of the n-grams that may be copies


def figures(texts, training, ids):
    """All figures of some texts.

    Args:
        texts: list of int [words].
        training: iterable of int [words], the documents of the training text.
        ids: number of ids.
    Returns:
        {"words": ..., "repetition_4": ..., "distinct_1": ..., "distinct_2": ..., "copied_4": ..., "copied_8": ...}
    """
    table = Table(texts, ids, max(COPIED))
    shares = copied(table, training)
    return {
        "words": len(table.words),
        "repetition_4": repetition(texts, 4),
        "distinct_1": distinct(table, 1),
        "distinct_2": distinct(table, 2),
        **{f"copied_{n}": shares[n - 1] for n in COPIED},
    }


def repetition(texts, n):
    """The share of a text's n-grams that it holds already, mean of all texts: seq-rep-n (Welleck et al. 2020).

    1 - different n-grams / n-grams, of each text that has any.
    """
    rates = []
    for text in texts:
        ngrams = np.lib.stride_tricks.sliding_window_view(np.asarray(text), n) if len(text) >= n else []
        if len(ngrams):
            rates.append(1 - len(np.unique(ngrams, axis=0)) / len(ngrams))
    return float(np.mean(rates)) if rates else float("nan")


def distinct(table, n):
    """Different n-grams of all texts together, by their number of words: distinct-n (Li et al. 2016).

    It falls with the number of words: compare texts of one length, and as many.

    Args:
        table: ngrams.Table of the texts.
    """
    return len(table.keys[n - 1]) / len(table.words) if len(table.words) else float("nan")


def copied(table, training):
    """The share of the n-grams that occur in the training text too, word by word.

    The training text is looked up in the n-grams of the texts, in blocks, so that it may be of any length.

    Args:
        table: ngrams.Table of the texts.
        training: iterable of int [words].
    Returns:
        list of float, for n from 1 to the table's order.
    """
    is_there = [np.zeros(len(keys), bool) for keys in table.keys]
    for document in training:
        for start in range(0, len(document), BLOCK):
            # With the words before, which n-grams reach back to.
            block = document[max(0, start - table.order + 1) : start + BLOCK]
            for seen, found in zip(is_there, table.find(*concatenated([block])), strict=True):
                seen[found[found >= 0]] = True
    # Each n-gram as often as the texts hold it.
    totals = [int(counts.sum()) for counts in table.counts]
    of_copies = [int(counts[seen].sum()) for counts, seen in zip(table.counts, is_there, strict=True)]
    return [copies / total if total else float("nan") for copies, total in zip(of_copies, totals, strict=True)]


def pieces(documents, words, count):
    """Texts of one length out of documents, at even distances, to be compared with written ones.

    Args:
        documents: list of int [words].
        words: of each piece; fewer, if no document has so many.
        count: most pieces.
    Returns:
        list of int [words], none overlapping another, none across documents.
    """
    words = min(words, max(map(len, documents)))
    starts = [(document, start) for document in documents for start in range(0, len(document) - words + 1, words)]
    return [
        starts[i][0][starts[i][1] : starts[i][1] + words]
        for i in np.linspace(0, len(starts) - 1, min(count, len(starts))).round().astype(int)
    ]
