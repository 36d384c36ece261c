"""How far a held-out figure may be off by the choice of the held-out text: bootstrap intervals (Efron 1979).

What one word costs depends on the words around it, so it is whole stretches of text that are drawn, with replacement, as many as there are:
documents, if the split has many; else blocks of consecutive words within documents (the fixed-block bootstrap, Carlstein 1986).
An interval goes from the 2.5th to the 97.5th percentile of the figure over all draws. NumPy only.
"""

import numpy as np

from lstm_lm.evaluation import scoring

DOCUMENTS = 30  # from so many scored documents on, they are what is drawn
BLOCK = 1000  # words of a block, about: a scene of a play; where this makes fewer than LEAST blocks of a split, they are shorter
CHARACTERS = 5000  # of a block, at least: characters and subwords are shorter than words, but a scene is not
LEAST = 20
MOST = 2000  # stretches; where there are more, neighbours are drawn together
PERCENTILES = (2.5, 97.5)


def block_of(characters):
    """Words of a block. characters: list of int [words - 1], of each scored word, with its space, one array a document."""
    words, total = sum(map(len, characters)), sum(int(np.sum(of_words)) for of_words in characters)
    return max(BLOCK, round(CHARACTERS * words / max(total, 1)))


def edges(lengths, block=BLOCK):
    """Where the stretches that are drawn begin.

    Args:
        lengths: scored words of each document, in order.
        block: words of a block.
    Returns:
        int64 [stretches + 1], rising, from 0 to the number of scored words: places in the costs of all documents, one after the other.
    """
    lengths = np.array([length for length in lengths if length], np.int64)
    stops = np.cumsum(lengths)
    if len(lengths) >= DOCUMENTS:
        found = np.concatenate([[0], stops])
    else:
        size = max(1, min(block, int(lengths.sum()) // LEAST))
        # Of nearly equal length within a document: a short rest would be a block of little weight.
        blocks = [
            np.linspace(stop - length, stop, max(1, round(length / size)) + 1)[1:] for length, stop in zip(lengths, stops, strict=True)
        ]
        found = np.concatenate([[0], *blocks]).round().astype(np.int64)
    return found[np.linspace(0, len(found) - 1, min(len(found), MOST + 1)).round().astype(np.int64)]


def resampled(values, lengths, samples, seed, block=BLOCK):
    """Sums over drawn stretches.

    Args:
        values: list of float [scored words], what is summed, by the words of all documents, one after the other.
        lengths, block: as for `edges`.
        samples: int, draws. seed: of them: the same seed draws the same stretches of the same lengths.
    Returns:
        float64 [len(values) + 1, samples], the last the number of words.
    """
    cuts = edges(lengths, block)
    sums = np.stack(
        [*(np.add.reduceat(np.asarray(value, np.float64), cuts[:-1]) for value in values), np.diff(cuts)]
    )  # [values, stretches]
    stretches = len(cuts) - 1
    drawn = np.random.default_rng(seed).multinomial(stretches, np.full(stretches, 1 / stretches), samples)  # [samples, stretches]
    return sums @ drawn.T


def intervals(nats, unknown, characters, unknown_types, samples, seed):
    """95% intervals of the figures of a split.

    Args:
        nats: list of float [words - 1], what each scored word costs, one array a document.
        unknown: list of bool [words - 1], which of them are `<unk>`. characters: list of int [words - 1], of each, with its space.
        unknown_types: as in dataset.HeldOut.
        samples, seed: as for `resampled`.
    Returns:
        {"loss_low": ..., "loss_high": ..., ...} of loss, perplexity, adjusted_perplexity and bits_per_character.
    """
    values = [np.concatenate(of_words) for of_words in (nats, unknown, characters)]
    cost, unknown, characters, words = resampled(values, list(map(len, nats)), samples, seed, block_of(characters))
    found = {}
    for name, figure in scoring.from_sums(cost, words, unknown, unknown_types, characters).items():
        found[f"{name}_low"], found[f"{name}_high"] = np.percentile(figure, PERCENTILES).tolist()
    return found


def difference(nats, other, samples, seed, block=BLOCK):
    """By how much the loss of one model is below that of another on the same words: the paired bootstrap.

    Both are summed over the same draws, so that what makes a text hard for both cancels out: an interval without 0 says that the
    one is better, also where the intervals of the two overlap.

    Args:
        nats, other: lists of float [words - 1], one array a document, of the one and of the other model.
        samples, seed, block: as for `resampled`.
    Returns:
        (mean of other - nats, low, high), nats per word.
    Raises:
        ValueError: they are not costs of the same words.
    """
    lengths = list(map(len, nats))
    if lengths != list(map(len, other)):
        raise ValueError("costs of other documents cannot be paired")
    gain = np.concatenate(other).astype(np.float64) - np.concatenate(nats)
    total, words = resampled([gain], lengths, samples, seed, block)
    return float(gain.mean()), *np.percentile(total / words, PERCENTILES).tolist()
