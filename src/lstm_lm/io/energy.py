"""How much energy the machine uses: the counters of its processors, its memory and its NVIDIA GPUs.

Linux shows the processors' counters (Intel's RAPL, which AMD's processors have too) under /sys/class/powercap. Since Linux 5.10 only root
may read them, and most virtual machines have none. A GPU's counter is read with the package nvidia-ml-py, if it is installed. The counters
are those of the whole machine: what other processes use at the same time is part of them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Protocol

from lstm_lm.io import machine

POWERCAP = Path("/sys/class/powercap")
MICROJOULES = 1e-6
MILLIJOULES = 1e-3


class Counter(Protocol):
    """A counter of energy.

    Attributes:
        name: what it counts.
    """

    name: str

    def read(self) -> float:
        """Return the joules since the counter was made. OSError or ValueError: it cannot be read any more."""


class RaplCounter:
    """The counter of one zone of powercap. It starts at 0 again after some minutes or hours, so it must be read more often than that.

    Args:
        folder: of the zone.
    Raises:
        OSError: it cannot be read.
        ValueError: what is there is no number.
    """

    def __init__(self, folder: Path) -> None:
        self.name = (folder / "name").read_text(encoding="utf-8").strip()
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text(encoding="utf-8"))
        self._last = int(self._file.read_text(encoding="utf-8"))
        self._total = 0

    def read(self) -> float:
        """See `Counter`."""
        now = int(self._file.read_text(encoding="utf-8"))
        self._total += now - self._last + (self._range if now < self._last else 0)
        self._last = now
        return self._total * MICROJOULES


class NvidiaCounter:
    """The counter of one GPU, in millijoules since its driver was loaded.

    Args:
        nvml: the module `pynvml`.
        index: of the GPU.
    """

    def __init__(self, nvml: Any, index: int) -> None:
        self._nvml, self._handle = nvml, nvml.nvmlDeviceGetHandleByIndex(index)
        name = nvml.nvmlDeviceGetName(self._handle)
        self.name = name.decode() if isinstance(name, bytes) else str(name)
        self._first = int(nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))

    def read(self) -> float:
        """See `Counter`."""
        try:
            return (int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) - self._first) * MILLIJOULES
        except self._nvml.NVMLError as error:
            raise OSError(str(error)) from error


def counters() -> list[Counter]:
    """Return the counters of this machine.

    With a GPU that this process may use and whose counter cannot be read, there are none: the processors' part would pass for the whole.
    Where only the processors' counters cannot be read, those of the GPUs remain: their names say what was measured.
    """
    of_gpus = gpu_counters()
    if machine.gpus() and not of_gpus:
        return []
    return [*processor_counters(), *of_gpus]


def processor_counters(root: Path = POWERCAP) -> list[Counter]:
    """Return the counters of the processor packages, and of the memory where it has its own.

    A package's counter includes its cores. A machine without counters of packages may have one of the whole platform. Where any of them
    cannot be read, there is none at all: a part of the energy would pass for the whole.
    """
    zones = {path: _name(path) for path in sorted(root.glob("intel-rapl:*"))}
    packages = [path for path, name in zones.items() if name.startswith("package")]
    memory = [path for path, name in zones.items() if name == "dram"]
    folders = [*packages, *memory] if packages else [path for path, name in zones.items() if name == "psys"]
    try:
        return [RaplCounter(folder) for folder in folders]
    except (OSError, ValueError):
        return []


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def gpu_counters() -> list[Counter]:
    """Return the counters of the NVIDIA GPUs; none without a GPU, its driver, or the package nvidia-ml-py."""
    try:
        with warnings.catch_warnings():  # a former package of the same name warns about itself
            warnings.simplefilter("ignore")
            import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        return [NvidiaCounter(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
