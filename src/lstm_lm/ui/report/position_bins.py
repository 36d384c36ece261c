"""Bins of positions in held-out documents: their names, and whether the model gains more from a longer context than Kneser-Ney."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

MIN_WORDS = 2000  # a mean loss over fewer words is off by 0.1 nats and more

Bin = Mapping[str, Any]  # of details.json: start, end, words, loss, kneser_ney_loss


class Gains(NamedTuple):
    """How much lower the model's loss is than that of Kneser-Ney near the start of the documents and after that, in nats per token.

    Attributes:
        early, late: the gains.
        early_label, late_label: the positions, as of `label`.
    """

    early: float
    late: float
    early_label: str
    late_label: str


def label(group: Bin) -> str:
    """Name a bin by its first and last position, counted from 1."""
    return f"{group['start'] + 1:,} to {group['end']:,}" if group.get("end") is not None else f"from {group['start'] + 1:,}"


def gains(bins: Sequence[Bin], min_words: int = MIN_WORDS) -> Gains | None:
    """Compare the first bins that together hold enough tokens with all others.

    Args:
        bins: in the order of their positions, all with tokens and a loss.
        min_words: tokens on either side.
    Returns:
        None if a side has fewer tokens, or a bin has no loss of Kneser-Ney.
    """
    if any(each.get("kneser_ney_loss") is None for each in bins):
        return None
    words = list(accumulate(each["words"] for each in bins))
    count = next((i + 1 for i, total in enumerate(words) if total >= min_words), None)
    if count is None or words[-1] - words[count - 1] < min_words:
        return None
    early, late = bins[:count], bins[count:]
    return Gains(_gain(early), _gain(late), _label(early), _label(late))


def _label(bins: Sequence[Bin]) -> str:
    return label({"start": bins[0]["start"], "end": bins[-1].get("end")})


def _gain(bins: Sequence[Bin]) -> float:
    total = sum(each["words"] * (each["kneser_ney_loss"] - each["loss"]) for each in bins)
    return float(total / sum(each["words"] for each in bins))
