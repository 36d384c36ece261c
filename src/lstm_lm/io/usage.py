"""What a training uses: wall time, processor time and energy, over all the parts in which it is done."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from lstm_lm.io import energy
from lstm_lm.io.energy import Counter

READ_SECONDS = 10.0  # a processor's counter of energy starts at 0 again after two minutes at the earliest
DECIMALS = 1


@dataclass(frozen=True)
class Usage:
    """What was used.

    Attributes:
        seconds: of wall time.
        cpu_seconds: of processor time of this process: two busy cores use 2 in a second.
        energy_joules: of the whole machine in that time, None where it is not measured.
        energy_of: what the energy was measured of, such as `package-0`.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    energy_joules: float | None = 0.0
    energy_of: tuple[str, ...] = ()

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Usage:
        """Read what `facts` returned."""
        return cls(facts["seconds"], facts["cpu_seconds"], facts["energy_joules"], tuple(facts["energy_of"]))

    def facts(self) -> dict[str, Any]:
        """Return it as JSON, rounded."""
        return {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in asdict(self).items()}

    def __add__(self, other: Usage) -> Usage:
        """Add another part of the same training. The energy is known only if it is known of both."""
        known = self.energy_joules is not None and other.energy_joules is not None
        joules = (self.energy_joules or 0.0) + (other.energy_joules or 0.0) if known else None
        names = tuple(dict.fromkeys([*self.energy_of, *other.energy_of])) if known else ()
        return Usage(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds, joules, names)


class UsageMeter:
    """Measures while a block runs, and keeps the result on the disk every few seconds, so that a kill loses little of it.

    Args:
        earlier: facts of the parts of the training that were done before, None if this is the first.
        keep: gets the facts of all parts. It is called in a thread of the meter's own.
        counters: of energy; None: those of this machine.

    Attributes:
        usage: of all parts; complete after the block.
    """

    def __init__(
        self, earlier: Mapping[str, Any] | None, keep: Callable[[dict[str, Any]], object], counters: list[Counter] | None = None
    ) -> None:
        self.usage = self._earlier = Usage.from_facts(earlier) if earlier else Usage()
        self._keep = keep
        self._counters = energy.counters() if counters is None else counters
        self._is_failed = not self._counters
        self._start, self._cpu_start = time.monotonic(), time.process_time()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="usage", daemon=True)

    def __enter__(self) -> Self:
        """Start to measure."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Measure for the last time."""
        self._stop.set()
        self._thread.join()

    def _read(self) -> Usage:
        joules = None
        try:
            readings = [counter.read() for counter in self._counters]
        except (OSError, ValueError):
            self._is_failed = True
        if not self._is_failed:
            joules = sum(readings)
        names = () if joules is None else tuple(counter.name for counter in self._counters)
        return self._earlier + Usage(time.monotonic() - self._start, time.process_time() - self._cpu_start, joules, names)

    def _loop(self) -> None:
        while True:
            is_last = self._stop.wait(READ_SECONDS)
            self.usage = self._read()
            with contextlib.suppress(OSError):  # such as a full disk
                self._keep(self.usage.facts())
            if is_last:
                return
