"""Counters of energy: a folder like /sys/class/powercap, and a module like pynvml. The machines of the tests have neither."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lstm_lm.io import energy, machine

RANGE = 262_143_328_850  # microjoules, of a desktop processor


def make_zone(root: Path, zone: str, name: str, microjoules: int = 0) -> Path:
    folder = root / zone
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE}\n")
    return set_counter(folder, microjoules)


def set_counter(folder: Path, microjoules: int) -> Path:
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder


def names(root: Path) -> list[str]:
    return [counter.name for counter in energy.processor_counters(root)]


def test_packages_and_memory_are_counted_once_each(tmp_path: Path) -> None:
    for zone, name in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
        ("intel-rapl-mmio:0", "package-0"),  # the same package by another interface
    ):
        make_zone(tmp_path, zone, name)
    (tmp_path / "intel-rapl").mkdir()
    assert names(tmp_path) == ["package-0", "package-1", "dram"]


def test_the_whole_platform_is_counted_where_no_package_is(tmp_path: Path) -> None:
    make_zone(tmp_path, "intel-rapl:0", "psys")
    assert names(tmp_path) == ["psys"]


def test_a_machine_without_counters_has_none(tmp_path: Path) -> None:
    assert energy.processor_counters(tmp_path / "missing") == []


@pytest.mark.parametrize("damage", ["unreadable", "no number"])
def test_nothing_is_measured_if_only_a_part_can_be_read(tmp_path: Path, damage: str) -> None:
    make_zone(tmp_path, "intel-rapl:0", "package-0")
    second = make_zone(tmp_path, "intel-rapl:1", "package-1")
    (second / "energy_uj").unlink()
    if damage == "no number":
        (second / "energy_uj").write_text("")
    else:
        (second / "energy_uj").mkdir()  # for root, who runs some tests, a file is readable whatever its mode
    assert energy.processor_counters(tmp_path) == []


def test_joules_are_counted_from_the_start_across_wrap_arounds(tmp_path: Path) -> None:
    folder = make_zone(tmp_path, "intel-rapl:0", "package-0", RANGE - 3_000_000)
    counter = energy.RaplCounter(folder)
    assert counter.read() == 0
    for microjoules, joules in (
        (RANGE - 1_000_000, 2),
        (4_000_000, 7),
        (4_000_000, 7),
        (RANGE - 1, RANGE * 1e-6 + 3 - 1e-6),
        (0, RANGE * 1e-6 + 3),
    ):
        set_counter(folder, microjoules)
        assert counter.read() == pytest.approx(joules)


class NvmlError(Exception):
    pass


def make_nvml(readings: dict[str, list[int]]) -> SimpleNamespace:
    """A module like pynvml. readings: name of each GPU -> what its counter shows next; an error once there is nothing left."""
    gpus = list(readings)

    def read(name: str) -> int:
        if not readings[name]:
            raise NvmlError("GPU is lost")
        return readings[name].pop(0)

    return SimpleNamespace(
        NVMLError=NvmlError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(gpus),
        nvmlDeviceGetHandleByIndex=lambda index: gpus[index],
        nvmlDeviceGetName=lambda name: name.encode(),
        nvmlDeviceGetTotalEnergyConsumption=read,
    )


def test_the_energy_of_gpus_is_counted_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", make_nvml({"NVIDIA A": [5000, 7500], "NVIDIA B": [0]}))
    first, second = energy.gpu_counters()
    assert (first.name, first.read(), second.name) == ("NVIDIA A", 2.5, "NVIDIA B")
    with pytest.raises(OSError, match="GPU is lost"):
        second.read()


def test_gpus_without_a_counter_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", make_nvml({"an old GPU": []}))
    assert energy.gpu_counters() == []


def test_there_are_no_gpus_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert energy.gpu_counters() == []


@pytest.fixture
def processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[energy.Counter]:
    """The counters of a machine with one processor."""
    make_zone(tmp_path, "intel-rapl:0", "package-0")
    found = energy.processor_counters(tmp_path)
    monkeypatch.setattr(energy, "processor_counters", lambda: found)
    return found


def test_nothing_is_measured_beside_a_gpu_that_cannot_be_read(processors: list[energy.Counter], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(machine, "gpus", list)
    assert energy.counters() == processors
    monkeypatch.setattr(machine, "gpus", lambda: ["NVIDIA A"])
    assert energy.counters() == []
    monkeypatch.setitem(sys.modules, "pynvml", make_nvml({"NVIDIA A": []}))
    assert energy.counters() == []
    monkeypatch.setitem(sys.modules, "pynvml", make_nvml({"NVIDIA A": [0]}))
    assert [counter.name for counter in energy.counters()] == ["package-0", "NVIDIA A"]


def test_a_gpu_is_measured_beside_processors_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "processor_counters", list)
    monkeypatch.setattr(machine, "gpus", lambda: ["NVIDIA A"])
    monkeypatch.setitem(sys.modules, "pynvml", make_nvml({"NVIDIA A": [0]}))
    assert [counter.name for counter in energy.counters()] == ["NVIDIA A"]
