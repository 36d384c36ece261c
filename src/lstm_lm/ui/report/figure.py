"""What each module of the report returns: a figure, as data. The page turns it into HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

MAX_TABLE_ROWS = 200
T = TypeVar("T")

Spec = dict[str, Any]  # Vega-Lite, as JSON


@dataclass(frozen=True)
class Key:
    """One entry of a legend. The page shows legends itself: in a chart they would not fit a narrow window.

    Attributes:
        name: what is shown.
        color: of its marks.
        mark: a shape of Vega's point marks, `line` or `dashes`.
    """

    name: str
    color: str
    mark: str = "circle"


@dataclass(frozen=True)
class Table:
    """A table of texts. Whoever makes one formats its numbers.

    Attributes:
        columns: titles, with units where they have one.
        rows: of as many cells.
        text_columns: how many columns from the left hold text; the others are numbers, and aligned right.
        note: what is not in the table, or "".
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    note: str = ""

    @classmethod
    def thinned(cls, columns: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> "Table":
        """Make a table with at most `MAX_TABLE_ROWS` of the rows, evenly spaced, and a note if some are left out."""
        shown = thin(rows, MAX_TABLE_ROWS)
        note = f"{len(shown):,} of {len(rows):,} rows" if len(shown) < len(rows) else ""
        return cls(columns, shown, text_columns, note)


@dataclass(frozen=True)
class Figure:
    """One figure of the report: a chart, or a template with data.

    Attributes:
        id: of its element on the page.
        title: short, for the heading.
        finding: what this run shows, computed from its data.
        reading: how to read the figure.
        chart: a Vega-Lite specification, or None.
        legend: of the chart.
        template: name of a template that draws the figure from `data`, or "".
        data: for the template.
        table: the numbers of the figure, folded below it, or None.
        controls: whether the chart gets buttons to zoom.
    """

    id: str
    title: str
    finding: str
    reading: str
    chart: Spec | None = None
    legend: Sequence[Key] = ()
    template: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    table: Table | None = None
    controls: bool = False

    @property
    def alternative(self) -> str:
        """The text for those who cannot see the chart."""
        return f"{self.title}. {self.finding}"


def thin(rows: Sequence[T], limit: int) -> list[T]:
    """Return at most `limit` rows, evenly spaced, the first and the last among them."""
    if len(rows) <= limit:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (limit - 1))] for i in range(limit)]
