"""A held-out split as it was scored, and the mean cost of any groups of its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Costs = Sequence[np.ndarray]  # float [words - 1] for each document: nats per word


@dataclass(frozen=True)
class ScoredSplit:
    """The documents of a held-out split, and what each scored word costs.

    Attributes:
        names: of the documents.
        ids: int [words] for each document, its first word included, which is not scored; unknown words have the id of `<unk>`.
        costs: {name of a loss: costs by one model}, None for a model that was not asked.
    """

    names: Sequence[str]
    ids: Sequence[np.ndarray]
    costs: Mapping[str, Costs | None]

    @cached_property
    def lengths(self) -> np.ndarray:
        """Scored words of each document: int64 [documents]."""
        return np.array([max(len(ids) - 1, 0) for ids in self.ids], np.int64)

    @cached_property
    def targets(self) -> np.ndarray:
        """Ids of all scored words, one document after the other: int64 [scored words]."""
        return np.concatenate([np.zeros(0, np.int64), *(ids[1:] for ids in self.ids)]).astype(np.int64)

    @cached_property
    def positions(self) -> np.ndarray:
        """How many words of the same document precede each scored word, at least 1: int64 [scored words]."""
        return np.concatenate([np.zeros(0, np.int64), *(np.arange(1, length + 1) for length in self.lengths)])

    def group(self, groups: np.ndarray, count: int) -> list[dict[str, Any]]:
        """Compute the mean costs of groups of words.

        Args:
            groups: int [scored words], the group of each word, from 0.
            count: number of groups.
        Returns:
            For each group {"words": how many, name of a loss: mean in nats per word}; the mean is None without any words or costs.
        """
        words = np.bincount(groups, minlength=count)
        rows: list[dict[str, Any]] = [{"words": int(number)} for number in words]
        for name, costs in self.costs.items():
            sums = None if costs is None else np.bincount(groups, np.concatenate([np.zeros(0), *costs]), count)
            for row, number, total in zip(rows, words, np.zeros(count) if sums is None else sums, strict=True):
                row[name] = float(total / number) if number and sums is not None else None
        return rows

    def by_document(self) -> list[dict[str, Any]]:
        """Return the mean costs of each document, as `group`, with its name."""
        rows = self.group(np.repeat(np.arange(len(self.names)), self.lengths), len(self.names))
        return [{"name": name, **row} for name, row in zip(self.names, rows, strict=True)]
