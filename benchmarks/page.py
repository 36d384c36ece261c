"""Table cells, the description of this machine, and the page that the tables go to."""

import datetime
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from lstm_lm.io.machine import cpu_facts, processor
from lstm_lm.ui import markdown
from timing import Spread

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "performance.md"
CPU_FLAGS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 BF16", "amx_bf16": "AMX BF16"}


def write(page: Path, section: str, text: str) -> None:
    """Replace the text between the markers `<!-- bench:SECTION -->` and `<!-- /bench:SECTION -->`, like `markdown.write`."""
    markdown.write(page, section, text, kind="bench")


def machine() -> str:
    """Return the date and `machine_facts`."""
    return f"{datetime.date.today()}; {machine_facts()}"


def machine_facts() -> str:
    """Describe this machine in one line: processor, memory, versions. Nothing identifies the individual machine."""
    features = [name for flag, name in CPU_FLAGS.items() if flag in cpu_facts().get("flags", "").split()]
    return (
        f"{processor()}, {psutil.cpu_count()} cores, {', '.join(features) or 'no AVX2'}, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()}; Python {platform.python_version()}, "
        f"TensorFlow {version('tensorflow')}, Keras {version('keras')}, NumPy {version('numpy')}"
    )


def number(value: float | None) -> str | None:
    """Format with three significant digits, or as a whole number from 100 on."""
    if value is None:
        return None
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def ratio(spread: Spread | None) -> str | None:
    """Format as `median (min..max)`."""
    return None if spread is None else f"{spread.median:.2f} ({spread.minimum:.2f}..{spread.maximum:.2f})"


def gib(mib: float | None) -> str | None:
    """Format MiB as GiB."""
    return f"{mib / 1024:.1f} GiB" if mib else None


def not_measured(problem: str | None) -> str:
    """Return the cell that explains a missing measurement."""
    return f"not measured: {problem}"
