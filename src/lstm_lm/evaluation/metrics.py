"""The metrics of a held-out split, from the cost of each scored word (docs/explanation/scoring.md)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_lm.data.dataset import HeldOut
from lstm_lm.evaluation.scoring import total_nats

Metrics = dict[str, float]
Sum = Any  # a number, or an array


def split_metrics(nats: Sequence[np.ndarray], held_out: HeldOut) -> Metrics:
    """Compute the metrics of a split.

    Args:
        nats: what `scoring.score` returned for its documents.
        held_out: what is known about the split.
    Returns:
        loss (nats per word, `<unk>` counted like any word), perplexity = exp(loss), oov_rate (fraction of scored words that are
        `<unk>`), adjusted_perplexity (each `<unk>` costs ln(unknown_types) more: the price of naming one of the split's unknown words;
        Ueberla 1994), bits_per_character (with these charges; each word counts with its space), words.
    Raises:
        ValueError: the number of costs is not the number of scored words.
    """
    cost = total_nats(nats, held_out.scored_words)
    ratios = metrics_from_sums(cost, held_out.scored_words, held_out.unknown_words, held_out.characters, held_out.unknown_types)
    values = {name: float(value) for name, value in ratios.items()}
    return {
        "loss": values["loss"],
        "perplexity": values["perplexity"],
        "oov_rate": held_out.unknown_words / held_out.scored_words,
        "adjusted_perplexity": values["adjusted_perplexity"],
        "bits_per_character": values["bits_per_character"],
        "words": held_out.scored_words,
    }


def metrics_from_sums(cost: Sum, words: Sum, unknown: Sum, characters: Sum, unknown_types: int) -> dict[str, Sum]:
    """Compute the metrics that are ratios of sums.

    Args:
        cost, words, unknown, characters: nats of all words, and numbers of words, of `<unk>` and of characters; all numbers, or all
            arrays of one shape.
        unknown_types: as in dataset.HeldOut.
    Returns:
        loss, perplexity, adjusted_perplexity, bits_per_character; infinite where they exceed float64.
    """
    charged = cost + unknown * (math.log(unknown_types) if unknown_types else 0.0)
    loss, adjusted = cost / words, charged / words
    with np.errstate(over="ignore"):
        perplexity, adjusted_perplexity = np.exp(loss), np.exp(adjusted)
    return {
        "loss": loss,
        "perplexity": perplexity,
        "adjusted_perplexity": adjusted_perplexity,
        "bits_per_character": charged / math.log(2) / characters,
    }
