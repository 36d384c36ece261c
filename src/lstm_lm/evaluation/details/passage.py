"""A passage of held-out text, with what each of its words costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_lm.evaluation.details.scored_split import ScoredSplit
from lstm_lm.text.tokenization.vocabulary import UNKNOWN_ID

LENGTHS = {"word": 200, "subword": 300, "char": 600}  # tokens, by unit: a paragraph or two
BITS = {"bits": "loss", "kneser_ney_bits": "kneser_ney_loss"}  # name in the passage: that of the loss


@dataclass(frozen=True)
class Stretch:
    """Words `start` to below `stop` of a document, which is given by its place in the split."""

    document: int
    start: int
    stop: int


@dataclass(frozen=True)
class WrittenToken:
    """A token as it is written: its text, and whether there is a space before it."""

    text: str
    space_before: bool


def choose_passage(split: ScoredSplit, readable: Sequence[bool], sentence_ends: Sequence[int], length: int) -> Stretch | None:
    """Choose a passage: from the middle of the longest document, from the start of a sentence, if one starts nearby.

    Args:
        split: that has been scored.
        readable: whether a document can be shown; of the others, one is chosen only if all are.
        sentence_ends: ids of the tokens after which a sentence starts.
        length: of the passage, in tokens, if the document has as many.
    Returns:
        All of its words were scored. None, if no word was.
    """
    document = max(range(len(split.names)), key=lambda i: (split.lengths[i] > 0, readable[i], split.lengths[i]), default=None)
    if document is None or not split.lengths[document]:
        return None
    ids = split.ids[document]
    start = max(1, (len(ids) - length) // 2)
    last_start = min(start + length // 2, max(len(ids) - length, start))
    starts = start + np.flatnonzero(np.isin(ids[start - 1 : last_start], sentence_ends))
    start = int(starts[0]) if len(starts) else start
    return Stretch(document, start, min(len(ids), start + length))


def describe_passage(split: ScoredSplit, stretch: Stretch, tokens: Sequence[WrittenToken]) -> dict[str, Any]:
    """Put the tokens of a passage and their costs side by side.

    Args:
        split, stretch: as of `choose_passage`.
        tokens: of the passage.
    Returns:
        {"document": its name, "start": the passage's first word in it, "words": [{"text": ..., "space_before": ..., "bits": surprisal,
        "kneser_ney_bits": by the baseline, or None, "known": whether the vocabulary has it}]}
    """
    costs = {
        name: None if (costs := split.costs.get(loss)) is None else costs[stretch.document][stretch.start - 1 : stretch.stop - 1]
        for name, loss in BITS.items()
    }
    ids = split.ids[stretch.document][stretch.start : stretch.stop]
    words = [
        {
            "text": token.text,
            "space_before": token.space_before,
            **{name: None if nats is None else float(nats[i]) / math.log(2) for name, nats in costs.items()},
            "known": bool(ids[i] != UNKNOWN_ID),
        }
        for i, token in enumerate(tokens)
    ]
    return {"document": split.names[stretch.document], "start": stretch.start, "words": words}
