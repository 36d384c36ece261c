"""Losses of groups of tokens by several predictors, as the figures of bands, positions and documents show them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lstm_lm.ui.report import chart, numbers

KEYS = {chart.MODEL: "loss", chart.KNESER_NEY: "kneser_ney_loss", chart.UNIGRAMS: "unigram_loss"}

Group = Mapping[str, Any]  # of details.json: words, loss, and other losses of KEYS


def scored(groups: Iterable[Group]) -> list[Group]:
    """Return the groups that hold any token and have a loss."""
    return [group for group in groups if group.get("words") and group.get("loss") is not None]


def predictors(groups: Sequence[Group]) -> list[str]:
    """Return the predictors that have a loss for any of the groups."""
    return [name for name, key in KEYS.items() if any(group.get(key) is not None for group in groups)]


def compared(groups: Sequence[Group]) -> list[str]:
    """Return the predictors without unigrams, beside which the others would look alike."""
    return [name for name in predictors(groups) if name != chart.UNIGRAMS]


def points(groups: Sequence[Group], fields: Sequence[Mapping[str, object]], names: Sequence[str] = tuple(KEYS)) -> list[dict[str, Any]]:
    """Return one point for each group and predictor.

    Args:
        groups: of details.json.
        fields: of each group, what all its points have, such as its label.
        names: of the predictors.
    Returns:
        predictor, perplexity (the exponential of the loss), words, and the fields. Those of this model come last: a mark covers those
        before it, and where they coincide the corners of the others' shapes still show around the model's circle.
    """
    return [
        {"predictor": name, "perplexity": numbers.exp(group[key]), "words": group["words"], **more}
        for name in sorted(names, key=lambda name: name == chart.MODEL)
        for group, more in zip(groups, fields, strict=True)
        if group.get(key := KEYS[name]) is not None
    ]


def perplexity_cells(group: Group, names: Sequence[str]) -> list[str]:
    """Return the cells of a table: the perplexity of each predictor."""
    return [numbers.perplexity(numbers.exp(group.get(KEYS[name]))) for name in names]


def gain(group: Group) -> float | None:
    """How much lower the model's loss is than that of Kneser-Ney, in nats per token, or None."""
    other = group.get(KEYS[chart.KNESER_NEY])
    return None if other is None else float(other) - float(group["loss"])
