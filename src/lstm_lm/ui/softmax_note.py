"""A line at the start of a training whose kind of softmax leaves much on the table, by measured speeds.

The speeds are the medians of the section `softmax` of docs/reference/performance.md, at the sizes of params.yaml. They are provisional:
a short trial on a busy machine (AMD EPYC, family 26, AVX-512 BF16).
"""

import numpy as np

from lstm_lm.config.schema import Params

MEASURED_SAMPLE = 8_192  # train.sampled_words of the measurement
VOCABULARIES = (10_000, 33_278, 100_000, 250_000)
# How many times as fast as the exact softmax, for each of these vocabularies.
SPEEDUPS = {
    "float32": {"adaptive": (1.6, 2.6, 3.8, 6.1), "sampled": (1.05, 2.0, 7.8, 22.8)},
    "bfloat16": {"adaptive": (1.6, 3.3, 5.3, 3.0), "sampled": (1.07, 3.0, 5.6, 8.7)},
}
MUCH_FASTER = 4.0  # from here on, an approximation is worth a note
HARDLY_FASTER = 1.2  # up to here, the exact softmax is about as fast, and approximates nothing
PAGE = "docs/explanation/fast-training.md"


def speedup(kind: str, vocabulary_size: float, precision: str) -> float:
    """Estimate how many times as fast as with the exact softmax a training is. Outside of the measured vocabularies: as at their ends.

    Args:
        kind: "adaptive" or "sampled".
        vocabulary_size: number of words.
        precision: of matrix products, "float32" or "bfloat16".
    """
    return float(np.exp(np.interp(np.log(vocabulary_size), np.log(VOCABULARIES), np.log(SPEEDUPS[precision][kind]))))


def note(settings: Params, vocabulary_size: int, precision: str) -> str | None:
    """Return the line, or None if another setting would not gain much.

    Args:
        settings: all parameters.
        vocabulary_size: number of words.
        precision: as for `speedup`.
    """
    size, sample = vocabulary_size, settings.train.sampled_words
    if sample is None and settings.model.adaptive_cutoffs is None:
        times = {
            f"train.sampled_words: {MEASURED_SAMPLE}": speedup("sampled", size, precision),
            "model.adaptive_cutoffs": speedup("adaptive", size, precision),
        }
        gains = [f"about {gain:.0f} times as fast with {name}" for name, gain in times.items() if gain >= MUCH_FASTER]
        return f"the exact softmax takes long with a vocabulary of {size:,}: training is {', '.join(gains)} ({PAGE})" if gains else None
    if sample is not None:
        # How much longer the exact softmax takes depends on how many more words there are than in the sample.
        name, gain = f"train.sampled_words: {sample}", speedup("sampled", size * MEASURED_SAMPLE / sample, precision)
    else:
        name, gain = "model.adaptive_cutoffs", speedup("adaptive", size, precision)
    if gain > HARDLY_FASTER:
        return None
    return f"{name} hardly pays with a vocabulary of {size:,}: the exact softmax (null) is about as fast ({PAGE})"
