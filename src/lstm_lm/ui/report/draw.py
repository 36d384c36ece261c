"""Draw the report of a run: reports/report.html."""

from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.io import atomic

if TYPE_CHECKING:
    from lstm_lm.ui.report.inputs import Inputs

FILE = "reports/report.html"


def draw(files: "Inputs", folder: str | Path = ".") -> None:
    """Write the report.

    Args:
        files: see `inputs.load`.
        folder: of the project.
    """
    from lstm_lm.ui.report import page  # Vega-Altair takes most of a second to import

    atomic.write_text(Path(folder) / FILE, page.page(files))
