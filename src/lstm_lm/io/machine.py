"""Which machine this is: what speed and energy depend on. Nothing identifies the individual machine."""

import os
import platform
from collections import Counter
from pathlib import Path

from lstm_lm.wording import counted

NVIDIA = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU, by NVIDIA's driver on Linux
NVIDIA_NAME = "Model"
UNNAMED_GPU = "NVIDIA GPU"
DEVICES = Path("/dev")  # with a file for each GPU that a container may use
VISIBLE = "CUDA_VISIBLE_DEVICES"  # GPUs that CUDA may use, by index; with an empty or negative value, none


def describe() -> str:
    """Describe the machine: `2 cores, AMD EPYC (family 26, model 2)`, or `16 cores, Intel Xeon (family 6, model 143), 2 x NVIDIA H200`."""
    names = [name if number == 1 else f"{number} x {name}" for name, number in Counter(gpus()).items()]
    return ", ".join([counted(available_cores(), "core"), processor(), *names])


def gpus(root: Path = NVIDIA) -> list[str]:
    """Name the NVIDIA GPUs that this process may use, in the order in which CUDA counts them.

    Indices select GPUs by their place on the bus, which is CUDA's own order where all are of one kind. Ids (`GPU-...`) select nothing here.
    """
    names = [_gpu_name(folder / "information") for folder in sorted(root.glob("*"))]
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return names
    selected: list[str] = []
    for index in (part.strip() for part in visible.split(",")):
        if not index.removeprefix("-").isdecimal():
            return names if index else selected
        if not 0 <= int(index) < len(names):  # CUDA ignores what follows
            break
        selected.append(names[int(index)])
    return selected


def can_open_gpus(root: Path = DEVICES) -> bool:
    """Whether this process may open an NVIDIA GPU. In a container that was started without them, `gpus` names them all the same."""
    return any(os.access(path, os.R_OK | os.W_OK) for path in root.glob("nvidia[0-9]*"))


def _gpu_name(path: Path) -> str:
    try:
        facts = _facts(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        facts = {}
    return facts.get(NVIDIA_NAME) or UNNAMED_GPU


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Name the processor. In virtual machines the name is often that of many generations: family and model say which one it is."""
    facts = cpu_facts()
    family = f" (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else ""
    return f"{facts.get('model name') or platform.processor() or platform.machine()}{family}"


def cpu_facts() -> dict[str, str]:
    """Return the facts about the first processor in /proc/cpuinfo, {} on systems without it."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    return _facts(first)


def _facts(lines: str) -> dict[str, str]:
    """Read lines of `name: value`."""
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines.splitlines())}
