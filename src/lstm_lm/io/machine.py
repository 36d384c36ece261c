"""Which machine this is: what speed and energy depend on. Nothing identifies the individual machine."""

import os
import platform
from pathlib import Path

from lstm_lm.wording import counted


def describe() -> str:
    """Describe the machine: `2 cores, AMD EPYC (family 26, model 2)`."""
    return f"{counted(available_cores(), 'core')}, {processor()}"


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
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
