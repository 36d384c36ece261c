"""Draw the reports of a run from what is in models/ and reports/."""

from pathlib import Path

from lstm_lm.io import atomic

REPORT = "reports/report.html"
FILES = (REPORT,)  # all that `draw` writes


def draw(folder: str | Path = ".") -> None:
    """Write reports/report.html.

    Args:
        folder: of the project.
    Raises:
        UserError: a file that the report is made from is missing or damaged.
    """
    from lstm_lm.ui.report import inputs, page  # Vega-Altair takes most of a second to import

    root = Path(folder)
    atomic.write_text(root / REPORT, page.page(inputs.load(root)))
