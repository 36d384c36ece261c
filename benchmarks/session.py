"""How thorough a session of measurements is."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Session:
    """Settings of one run of the benchmarks.

    Attributes:
        rounds: how many times each system is measured.
        quick: whether this is a short trial.
        minutes: of training for each system of the section records; None: those of each text's parameters.
        texts: for the section records: folders with the outputs of the stages vocab and batching, each with the preset for it, if any.
    """

    rounds: int
    quick: bool
    minutes: float | None = None
    texts: tuple[tuple[Path, str | None], ...] = ()

    def pick(self, full: int, quick: int) -> int:
        """Return the size of a measurement: `full`, or `quick` in a short trial."""
        return quick if self.quick else full
