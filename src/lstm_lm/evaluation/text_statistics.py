"""Statistics of generated texts: how much they repeat, how varied they are, how much is copied from the training text. NumPy only.

A text is int [words], of ids. n-grams do not cross from one text to the next. Ratios over nothing are NaN.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from lstm_lm.evaluation.metrics import Metrics
from lstm_lm.evaluation.ngrams import NgramTable, concatenate

BLOCK = 2**20  # words of the training text that are looked up at a time
COPIED_ORDERS = (4, 8)  # words of the n-grams that may be copies


def text_statistics(texts: Sequence[np.ndarray], training: Iterable[np.ndarray], vocabulary_size: int) -> Metrics:
    """Compute all statistics of some texts.

    Args:
        texts: int [words] each.
        training: int [words] each, the documents of the training text.
        vocabulary_size: number of ids.
    Returns:
        words, repetition_4, distinct_1, distinct_2, copied_4, copied_8.
    """
    table = NgramTable(texts, vocabulary_size, max(COPIED_ORDERS))
    copied = copied_fractions(table, training)
    return {
        "words": len(table.words),
        "repetition_4": repetition(texts, 4),
        "distinct_1": distinct(table, 1),
        "distinct_2": distinct(table, 2),
        **{f"copied_{n}": copied[n - 1] for n in COPIED_ORDERS},
    }


def repetition(texts: Sequence[np.ndarray], n: int) -> float:
    """Compute the fraction of a text's n-grams that repeat an earlier one, mean over texts: seq-rep-n (Welleck et al. 2020).

    1 - distinct n-grams / n-grams, over the texts that have any.
    """
    rates = []
    for text in texts:
        if len(text) >= n:
            ngrams = np.lib.stride_tricks.sliding_window_view(np.asarray(text), n)
            rates.append(1 - len(np.unique(ngrams, axis=0)) / len(ngrams))
    return float(np.mean(rates)) if rates else float("nan")


def distinct(table: NgramTable, n: int) -> float:
    """Compute the number of distinct n-grams of all texts together, divided by their words: distinct-n (Li et al. 2016).

    It falls with the number of words: compare equally many texts of one length.
    """
    return len(table.keys[n - 1]) / len(table.words) if len(table.words) else float("nan")


def copied_fractions(table: NgramTable, training: Iterable[np.ndarray]) -> list[float]:
    """Compute the fraction of the n-grams that also occur in the training text, for each n from 1 to the table's order.

    The training text is looked up in the n-grams of the texts, in blocks, so that it may be of any length.

    Args:
        table: of the texts.
        training: int [words] each.
    """
    is_copied = [np.zeros(len(keys), bool) for keys in table.keys]
    for document in training:
        for start in range(0, len(document), BLOCK):
            # With the words before, to which n-grams reach back.
            block = document[max(0, start - table.order + 1) : start + BLOCK]
            for seen, indices in zip(is_copied, table.find(*concatenate([block])), strict=True):
                seen[indices[indices >= 0]] = True
    # Each n-gram counts as often as the texts have it.
    totals = [int(counts.sum()) for counts in table.counts]
    copies = [int(counts[seen].sum()) for counts, seen in zip(table.counts, is_copied, strict=True)]
    return [count / total if total else float("nan") for count, total in zip(copies, totals, strict=True)]


def sample_pieces(documents: Sequence[np.ndarray], words: int, count: int) -> list[np.ndarray]:
    """Take pieces of one length from documents, at even distances, to be compared with generated texts.

    Args:
        documents: int [words] each.
        words: length of a piece; shorter, if no document is as long.
        count: maximum number of pieces.
    Returns:
        int [words] each; they do not overlap or cross documents.
    """
    words = min(words, max(map(len, documents)))
    starts = [(document, start) for document in documents for start in range(0, len(document) - words + 1, words)]
    places = np.linspace(0, len(starts) - 1, min(count, len(starts))).round().astype(int)
    return [starts[i][0][starts[i][1] : starts[i][1] + words] for i in places]
