"""Cells of tables, what machine this is, and the page they are written into."""

import datetime
import platform
from importlib.metadata import version
from pathlib import Path

from lstm_lm.ui import markdown

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "performance.md"


def write(page, section, text):
    """As `markdown.write`, between the markers `<!-- bench:SECTION -->` and `<!-- /bench:SECTION -->`."""
    markdown.write(page, section, text, kind="bench")


def machine():
    """One line: date, processor and what it can, memory, versions. Nothing that tells one machine from others of its kind."""
    import psutil

    facts = _cpuinfo()
    able = [name for flag, name in FLAGS if flag in facts.get("flags", "").split()]
    model = facts.get("model name") or platform.machine()
    family = f" (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else ""
    return (
        f"{datetime.date.today()}; {model}{family}, {psutil.cpu_count()} cores, {', '.join(able) or 'no AVX2'}, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()}; Python {platform.python_version()}, "
        f"TensorFlow {version('tensorflow')}, Keras {version('keras')}, NumPy {version('numpy')}"
    )


FLAGS = [("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX-512 BF16"), ("amx_bf16", "AMX BF16")]


def _cpuinfo():
    """Of the first processor in /proc/cpuinfo, as far as there is one."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def number(value):
    """Three digits, or all of them before the point."""
    if value is None:
        return None
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def ratio(found):
    """(median, least, most) as text."""
    return None if found is None else f"{found[0]:.2f} ({found[1]:.2f}..{found[2]:.2f})"


def gib(mib):
    return None if not mib else f"{mib / 1024:.1f} GiB"
