"""How thorough a session of measurements is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """Settings of one run of the benchmarks.

    Attributes:
        rounds: how many times each system is measured.
        quick: whether this is a short trial.
    """

    rounds: int
    quick: bool

    def pick(self, full: int, quick: int) -> int:
        """Return the size of a measurement: `full`, or `quick` in a short trial."""
        return quick if self.quick else full
