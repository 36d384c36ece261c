"""The table of `clean-scratch`."""

from collections.abc import Collection, Sequence

from lstm_lm.io.leftovers import Leftover
from lstm_lm.ui import terminal
from lstm_lm.ui.terminal import Column

COLUMNS = (
    Column("", align="left"),
    Column("folder", align="left"),
    Column("MB"),
    Column("age", drop_order=3),
    Column("step", drop_order=2),
    Column("why it is there", align="left", drop_order=1),
    Column("MLflow run", align="left", drop_order=4),
)
DAY, HOUR, MINUTE = 86_400, 3600, 60  # seconds


def show(found: Sequence[Leftover], selected: Collection[Leftover], resumed: Collection[str]) -> None:
    """Print what is left on the disk.

    Args:
        found: all of it.
        selected: what is to be removed, marked with x.
        resumed: keys of the trainings that the next `dvc repro` may resume.
    """
    terminal.table(COLUMNS, [_row(leftover, leftover in selected, resumed) for leftover in found])


def _row(leftover: Leftover, is_selected: bool, resumed: Collection[str]) -> list[str]:
    reason = leftover.reason
    if leftover.in_use:
        reason = "in use"
    elif leftover.key in resumed:
        reason = f"{reason.partition(';')[0]}; the next make repro {'resumes' if len(resumed) == 1 else 'may resume'} it"
    step = "" if leftover.step is None else f"{leftover.step:,}"
    cells = ["x" if is_selected else "", str(leftover.folder), f"{leftover.size / 1e6:,.1f}", age(leftover.age), step]
    return [*cells, reason, leftover.run_id or ""]


def age(seconds: float) -> str:
    """`200000` -> `2 days`."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"
