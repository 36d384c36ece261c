import threading
import time
from typing import Any

import pytest

from lstm_lm.io import energy, usage
from lstm_lm.io.usage import Usage, UsageMeter


class FakeCounter:
    """Shows the joules that it is given."""

    def __init__(self, *joules: float, name: str = "package-0") -> None:
        self.name, self._joules = name, list(joules)

    def read(self) -> float:
        if not self._joules:
            raise OSError("gone")
        return self._joules.pop(0) if len(self._joules) > 1 else self._joules[0]


def measure(earlier: dict[str, Any] | None, *counters: energy.Counter) -> tuple[Usage, list[dict[str, Any]]]:
    """Measure a moment. Returns (the usage, what was kept)."""
    kept: list[dict[str, Any]] = []
    with UsageMeter(earlier, kept.append, list(counters)) as meter:
        pass
    return meter.usage, kept


def test_time_and_energy_are_measured_while_the_block_runs() -> None:
    kept: list[dict[str, Any]] = []
    with UsageMeter(None, kept.append, [FakeCounter(30.0), FakeCounter(12.5, name="dram")]) as meter:
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
    assert meter.usage.energy_joules == 42.5
    assert meter.usage.energy_of == ("package-0", "dram")
    assert 0.1 <= meter.usage.cpu_seconds <= meter.usage.seconds * 64
    assert kept == [meter.usage.facts()]


def test_parts_of_a_training_are_added_up() -> None:
    first, _ = measure(None, FakeCounter(10.0))
    earlier = {**first.facts(), "seconds": 100.0, "cpu_seconds": 150.0}
    second, kept = measure(earlier, FakeCounter(5.0), FakeCounter(1.0, name="NVIDIA A"))
    assert second.energy_joules == 16.0
    assert second.energy_of == ("package-0", "NVIDIA A")
    assert 100 <= second.seconds < 110
    assert 150 <= second.cpu_seconds < 160
    assert Usage.from_facts(kept[-1]) == Usage.from_facts(second.facts())


def test_energy_is_unknown_unless_it_was_measured_in_all_parts_to_the_end() -> None:
    unknown, _ = measure(None)
    assert (unknown.energy_joules, unknown.energy_of) == (None, ())
    assert measure(unknown.facts(), FakeCounter(5.0))[0].energy_joules is None
    known, _ = measure(None, FakeCounter(5.0))
    assert measure(known.facts())[0].energy_joules is None
    assert measure(None, FakeCounter(5.0), FakeCounter())[0].energy_joules is None


def test_what_a_killed_process_used_is_kept_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "READ_SECONDS", 0.01)
    kept: list[dict[str, Any]] = []
    enough = threading.Event()

    def keep(facts: dict[str, Any]) -> None:
        kept.append(facts)
        if len(kept) > 2:
            enough.set()
        raise OSError("No space left on device")  # which ends neither the training nor the measurement

    with UsageMeter(None, keep, [FakeCounter(1.0, 2.0, 3.0)]):
        assert enough.wait(10)
    assert [facts["energy_joules"] for facts in kept[:3]] == [1.0, 2.0, 3.0]


def test_the_counters_of_this_machine_are_read_unless_others_are_given() -> None:
    with UsageMeter(None, lambda facts: None) as meter:
        pass
    assert meter.usage.seconds >= 0
