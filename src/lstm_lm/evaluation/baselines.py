"""n-gram baselines: what counting the same training words achieves on the same held-out words."""

from collections.abc import Mapping, Sequence

import numpy as np

from lstm_lm.evaluation.ngrams import KneserNey, NgramModel, Unigram

UNIGRAM, KNESER_NEY = "unigram", "kneser_ney"

Documents = Sequence[np.ndarray]


def score_baselines(
    training: Documents, held_out: Mapping[str, Documents], vocabulary_size: int, order: int | None
) -> dict[str, dict[str, list[np.ndarray]]]:
    """Count the n-grams of the training text and score held-out text with them.

    Args:
        training: int [words] each, ids below vocabulary_size.
        held_out: the documents of each split.
        vocabulary_size: number of ids.
        order: longest n-gram of Kneser-Ney; None: unigrams only.
    Returns:
        {name of the baseline: {split: nats as of `scoring.score`}}
    """
    models: dict[str, NgramModel] = {UNIGRAM: Unigram(training, vocabulary_size)}
    if order:
        models[KNESER_NEY] = KneserNey(training, vocabulary_size, order)
    return {name: {split: model.nats(documents) for split, documents in held_out.items()} for name, model in models.items()}
