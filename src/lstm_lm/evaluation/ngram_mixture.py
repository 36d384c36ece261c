"""The probabilities of the model and of Kneser-Ney n-grams mixed with one fixed weight (Mikolov et al. 2011):

P(w) = (1 - weight) P_model(w) + weight P_Kneser-Ney(w)
"""

from collections.abc import Sequence

import numpy as np

Costs = Sequence[np.ndarray]  # nats per word, float [words] for each document


def mix(model: Costs, ngrams: Costs, weight: float) -> list[np.ndarray]:
    """Compute what each word costs by the mixture.

    Args:
        model, ngrams: what each word costs by one of the two.
        weight: of the n-grams, from 0 to 1.
    Returns:
        float64 [words] for each document: nats per word.
    """
    with np.errstate(divide="ignore"):  # a weight of 0 or 1 leaves one of them out
        own, other = np.log1p(-weight), np.log(weight)
    return [
        -np.logaddexp(own - np.asarray(by_model, np.float64), other - np.asarray(by_ngrams, np.float64))
        for by_model, by_ngrams in zip(model, ngrams, strict=True)
    ]


def best_weight(model: Costs, ngrams: Costs) -> float:
    """Find the weight of the n-grams at which these words cost least, to four decimals. The cost is a convex function of it.

    Args:
        model, ngrams: as for `mix`, of validation text.
    Returns:
        From 0 to 1; 0 if there are no words.
    """
    own, other = ([np.concatenate([np.zeros(0), *costs])] for costs in (model, ngrams))
    if not own[0].size:
        return 0.0
    from scipy import optimize  # slow to import

    found = optimize.minimize_scalar(
        lambda weight: mix(own, other, weight)[0].mean(), bounds=(0, 1), method="bounded", options={"xatol": 1e-5}
    )
    return round(float(found.x), 4)
