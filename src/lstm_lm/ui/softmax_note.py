"""A line at the start of a training that another kind of softmax would make much faster, or whose kind gains nothing, by measured speeds.

The speeds are the medians of the section `softmax` of docs/reference/performance.md, at the sizes of params.yaml, on an
AMD EPYC of family 26.
"""

import numpy as np

from lstm_lm.config.schema import Params

MEASURED_SAMPLE = 8_192  # train.sampled_words of the measurement
MEASURED_CUTOFFS = (20, 60)  # model.adaptive_cutoffs of the measurement, in percent of the vocabulary
# By precision and kind: how many times as fast as the exact softmax, by number of words.
SPEEDUPS = {
    "float32": {
        "adaptive": {1_000: 1.07, 3_000: 1.22, 10_000: 1.85, 33_278: 2.74, 100_000: 4.35, 250_000: 4.77},
        "sampled": {10_000: 1.04, 33_278: 2.42, 100_000: 7.68, 250_000: 18.53},
    },
    "bfloat16": {
        "adaptive": {1_000: 0.98, 3_000: 1.12, 10_000: 1.61, 33_278: 2.76, 100_000: 4.23, 250_000: 4.81},
        "sampled": {10_000: 1.06, 33_278: 2.83, 100_000: 8.43, 250_000: 20.7},
    },
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
    measured = SPEEDUPS[precision][kind]
    return float(np.exp(np.interp(np.log(vocabulary_size), np.log(list(measured)), np.log(list(measured.values())))))


def note(settings: Params, vocabulary_size: int, precision: str) -> str | None:
    """Return the line, or None if another setting would not gain much.

    Args:
        settings: all parameters.
        vocabulary_size: number of words.
        precision: as for `speedup`.
    """
    size, sample = vocabulary_size, settings.train.sampled_words
    if sample is None and settings.model.adaptive_cutoffs is None:
        gains = {settings_of(kind, size): speedup(kind, size, precision) for kind in ("sampled", "adaptive")}
        advice = [f"{gain:.0f} times with {changes}" for changes, gain in gains.items() if gain >= MUCH_FASTER]
        if not advice:
            return None
        faster = ", or ".join(advice).replace("times", "times as fast", 1)
        return f"the exact softmax takes long with a vocabulary of {size:,}: training would be about {faster} ({PAGE})"
    if sample is not None:
        # How much longer the exact softmax takes depends on how many more words there are than in the sample.
        name, gain = f"train.sampled_words: {sample}", speedup("sampled", size * MEASURED_SAMPLE / sample, precision)
    else:
        name, gain = "model.adaptive_cutoffs", speedup("adaptive", size, precision)
    if gain > HARDLY_FASTER:
        return None
    return f"{name} hardly pays with a vocabulary of {size:,}: the exact softmax (null) would be about as fast, or faster ({PAGE})"


def settings_of(kind: str, vocabulary_size: int) -> str:
    """Return the parameters of an approximation, as they were measured."""
    if kind == "sampled":
        return f"train.sampled_words: {MEASURED_SAMPLE}"
    cutoffs = [vocabulary_size * percent // 100 for percent in MEASURED_CUTOFFS]
    return f"model.adaptive_cutoffs: {cutoffs} and model.tie_weights: false"
