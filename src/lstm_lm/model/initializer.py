"""Initial values of the weights."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RANK_SCALE = 0.1


@dataclass(frozen=True)
class Initializer:
    """Initial values of embedding, projection and softmax weights.

    LSTM kernels are Glorot uniform, biases 0, the forget gates' biases 1. The factors of a mogrifier start with scales near 1.

    Attributes:
        distribution: "uniform" in [-scale, scale], or "normal" with standard deviation `scale`.
        scale: see `distribution`.
        seed: of all random numbers.
    """

    distribution: str
    scale: float
    seed: int


class WeightInitializer:
    """Draws initial weights, in the order of the calls.

    Args:
        initializer: Initializer, or None for zeros.
    """

    def __init__(self, initializer: Initializer | None) -> None:
        self._initializer = initializer
        self._rng = np.random.default_rng(initializer.seed if initializer else 0)

    def table(self, rows: int, columns: int) -> npt.NDArray[np.float32]:
        """Draw weights of the initializer's distribution, float32 [rows, columns]."""
        if self._initializer is None:
            return np.zeros([rows, columns], np.float32)
        scale = self._initializer.scale
        if self._initializer.distribution == "normal":
            return self._rng.normal(0, scale, [rows, columns]).astype(np.float32)
        return self._rng.uniform(-scale, scale, [rows, columns]).astype(np.float32)

    def glorot(self, rows: int, columns: int) -> npt.NDArray[np.float32]:
        """Draw Glorot uniform weights, float32 [rows, columns]."""
        if self._initializer is None:
            return np.zeros([rows, columns], np.float32)
        limit = np.sqrt(6 / (rows + columns))
        return self._rng.uniform(-limit, limit, [rows, columns]).astype(np.float32)

    def low_rank(self, rows: int, rank: int, columns: int) -> list[npt.NDArray[np.float32]]:
        """Draw two factors, float32 [rows, rank] and [rank, columns], whose product is small: of unit inputs about RANK_SCALE."""
        if self._initializer is None:
            return [np.zeros([rows, rank], np.float32), np.zeros([rank, columns], np.float32)]
        limits = np.sqrt(3 / rows), RANK_SCALE * np.sqrt(3 / rank)
        sizes = ([rows, rank], [rank, columns])
        return [self._rng.uniform(-limit, limit, size).astype(np.float32) for limit, size in zip(limits, sizes, strict=True)]
