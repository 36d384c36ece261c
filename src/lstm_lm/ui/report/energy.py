"""The energy that a training took, and what it was measured of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

JOULES_PER_WATT_HOUR = 3600
NOT_MEASURED = "not measured"
# Names of counters, up to the number of a package: see `io.energy`. All others are names of GPUs.
PROCESSOR = {"package": ("CPU package", "CPU packages"), "dram": ("memory", "memory"), "psys": ("whole machine", "whole machine")}


def consumption(run: Mapping[str, Any]) -> str:
    """Put it into words: `2.00 Wh (7,200 J), of CPU package and GPU (NVIDIA H200)`.

    Args:
        run: models/run.json, or what of it is known.
    """
    joules = run.get("energy_joules")
    if joules is None:
        return NOT_MEASURED
    names = measured_of(run.get("energy_of") or [])
    return f"{joules / JOULES_PER_WATT_HOUR:,.2f} Wh ({joules:,.0f} J){f', of {names}' if names else ''}"


def measured_of(counters: Sequence[str]) -> str:
    """Say what was measured; "" without counters.

    Args:
        counters: their names, each once, such as `package-0` and `NVIDIA H200`.
    """
    found = Counter(kind if (kind := name.partition("-")[0]) in PROCESSOR else name for name in counters)
    processor = [PROCESSOR[kind][number > 1] for kind, number in found.items() if kind in PROCESSOR]
    gpus = [name for name in found if name not in PROCESSOR]
    parts = [*processor, *([f"{'GPUs' if len(gpus) > 1 else 'GPU'} ({', '.join(gpus)})"] if gpus else [])]
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{listed} without the CPU" if gpus and not processor else listed
