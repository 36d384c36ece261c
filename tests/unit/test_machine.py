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


def add_gpu(root: Path, address: str, information: str) -> None:
    (root / address).mkdir()
    (root / address / "information").write_text(information)


def test_gpus_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machine.VISIBLE, raising=False)
    assert machine.gpus(tmp_path / "missing") == []
    add_gpu(tmp_path, "0000:01:00.0", "Model: \t\t NVIDIA H200\nIRQ:   \t\t 71\nGPU UUID: \t GPU-0\n")
    add_gpu(tmp_path, "0000:02:00.0", "IRQ: 72\n")
    (tmp_path / "0000:03:00.0").mkdir()
    assert machine.gpus(tmp_path) == ["NVIDIA H200", "NVIDIA GPU", "NVIDIA GPU"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("0", ["A"]),
        ("1", ["B"]),
        ("2, 0", ["C", "A"]),
        ("1,-1,2", ["B"]),
        ("0,3,1", ["A"]),  # there is no fourth
        ("3", []),
        ("-1", []),
        ("", []),
        (" ", []),
        ("GPU-0", ["A", "B", "C"]),
        ("MIG-0,MIG-1", ["A", "B", "C"]),
    ],
)
def test_indices_select_gpus_as_they_do_for_cuda(
    visible: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate("ABC"):
        add_gpu(tmp_path, f"0000:0{number}:00.0", f"Model: {name}\n")
    monkeypatch.setenv(machine.VISIBLE, visible)
    assert machine.gpus(tmp_path) == expected


def test_a_machine_is_described_with_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpus", lambda: ["NVIDIA H200", "NVIDIA H200", "NVIDIA A"])
    assert machine.describe().endswith(", 2 x NVIDIA H200, NVIDIA A")
    monkeypatch.setattr(machine, "gpus", list)
    assert "NVIDIA" not in machine.describe()


def test_a_gpu_can_be_opened_where_its_device_can(tmp_path: Path) -> None:
    assert not machine.can_open_gpus(tmp_path / "missing")
    (tmp_path / "nvidiactl").touch()  # there without any GPU
    assert not machine.can_open_gpus(tmp_path)
    (tmp_path / "nvidia1").touch()
    assert machine.can_open_gpus(tmp_path)
