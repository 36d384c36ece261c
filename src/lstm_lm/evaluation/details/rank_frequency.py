"""How often the words of the training text occur, by rank (Zipf 1949), and where the vocabulary ends."""

from typing import Any

import numpy as np

POINTS = 200


def rank_frequency(counts: np.ndarray, vocabulary_size: int, points: int = POINTS) -> dict[str, Any]:
    """Compute the curve of counts by rank.

    Args:
        counts: int [ids], occurrences of each id in the training text, those of unknown words included; the first is `<unk>`, which a
            prepared text may contain, and has no rank.
        vocabulary_size: ids below it are known.
        points: at most so many ranks, evenly spread on a logarithmic scale.
    Returns:
        {"points": [{"rank": from 1, "count": ...}], "cut": {"rank": how many words are known, "count": of the rarest of them}, "types":
        distinct words, "tokens": words in all, `<unk>` included}. `cut` is None if no known word occurs.
    """
    present = counts[1:][counts[1:] > 0]
    falling = np.sort(present)[::-1]
    known = counts[1:vocabulary_size][counts[1:vocabulary_size] > 0]
    ranks = np.unique(np.geomspace(1, len(falling), points).round().astype(np.int64)) if len(falling) else np.zeros(0, np.int64)
    return {
        "points": [{"rank": int(rank), "count": int(falling[rank - 1])} for rank in ranks],
        "cut": {"rank": len(known), "count": int(known.min())} if len(known) else None,
        "types": len(falling),
        "tokens": int(counts.sum()),
    }
