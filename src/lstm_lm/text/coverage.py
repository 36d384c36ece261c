"""How much of the training text the most frequent words make up."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstm_lm.text.tokenization.vocabulary import write_csv


def coverage(counts: npt.NDArray[np.int64], points: int = 60) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The fraction of the training text that the n most frequent words make up.

    Args:
        counts: int [words], occurrences of all words of the text.
        points: about how many vocabulary sizes to report, evenly spread on a logarithmic scale.
    Returns:
        (sizes: int64 [about points]; fractions: float64 [about points])
    """
    falling = np.sort(counts)[::-1]
    sizes = np.unique(np.geomspace(1, len(falling), points).astype(np.int64))
    return sizes, (np.cumsum(falling)[sizes - 1] / falling.sum()).round(6)


def save_coverage(path: Path | str, counts: npt.NDArray[np.int64]) -> None:
    """Write `coverage` as CSV: vocabulary_size,coverage."""
    sizes, fractions = coverage(counts)
    write_csv(path, ("vocabulary_size", "coverage"), zip(sizes.tolist(), fractions.tolist(), strict=True))
