import re
from pathlib import Path

import pytest

from lstm_lm.io import machine


def test_this_machine_is_described_by_cores_and_processor() -> None:
    assert re.fullmatch(r"[\d,]+ cores?, \S.*", machine.describe())


def test_the_generation_of_a_processor_is_part_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"{facts}\n{facts.replace('EPYC', 'other')}")
    assert machine.processor() == "AMD EPYC (family 26, model 2)"


def test_a_system_without_cpuinfo_names_its_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert machine.processor()
    assert "family" not in machine.processor()
