"""Text for people: notes, warnings and tables. Right on a terminal, through a pipe, with NO_COLOR and in a narrow window."""

import builtins
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

MORE = " ..."  # of a text that is shown in part
FEW = 10  # a perplexity below it is shown with more decimals
MIN_DESCRIPTION = 30  # columns beside a command
UNLIMITED = 10_000  # columns, where the output is not a terminal: whoever reads it decides where lines end


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: of the column.
        align: left for text, right for numbers.
        drop_order: where the window is too narrow, columns with 1 are left out first, then those with 2, ...; 0 always stays.
    """

    title: str
    align: Literal["left", "right"] = "right"
    drop_order: int = 0


def console(stream: IO[str] | None = None) -> "Console":
    """Return a rich console that prints text as it is: no markup, no emoji codes, no highlighting of numbers.

    Args:
        stream: where to print, or None for stdout. FORCE_COLOR does not turn a pipe into a terminal.
    """
    from rich.console import Console

    file = stream or sys.stdout
    is_terminal = file.isatty()
    return Console(
        file=file, force_terminal=is_terminal, width=None if is_terminal else UNLIMITED, markup=False, emoji=False, highlight=False
    )


def print(text: str = "") -> None:
    """Print text. On a terminal, lines break between words; through a pipe, they stay whole."""
    if not sys.stdout.isatty():
        builtins.print(text, flush=True)
    else:
        console().print(text)


def hanging(label: str, text: str) -> "RenderableType":
    """Return a label and a text for a rich console. Further lines of the text start under its first letter."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(label, Text(text))
    return grid if label else Text(text)


def paragraph(text: str, indent: str = "", max_lines: int | None = None) -> None:
    """Print a text, each line of it indented. Through a pipe it stays one line.

    Args:
        text: to print.
        indent: spaces before each line.
        max_lines: on a terminal, more lines are left out, which dots show; None: no limit.
    """
    if not sys.stdout.isatty():
        builtins.print(f"{indent}{text}", flush=True)
        return
    from rich.text import Text

    screen = console()
    width = max(1, screen.width - len(indent))
    lines = Text(text).wrap(screen, width)
    if max_lines and len(lines) > max_lines:
        last = lines[max_lines - 1].wrap(screen, max(1, width - len(MORE)))[0]
        last.rstrip()
        lines[max_lines - 1] = last.append(MORE)
    for line in lines[:max_lines]:
        line.rstrip()
        screen.print(f"{indent}{line.plain}")


def wrapped(text: str) -> str:
    """Return a line with newlines between words, so that it fits into the window. It needs no other package, for the end of a program."""
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def verbatim(text: str) -> None:
    """Print text that is copied or read by programs, such as a command: nothing is added, no line is broken."""
    builtins.print(text, flush=True)


def heading(text: str) -> None:
    """Print an empty line and a heading."""
    builtins.print()
    if sys.stdout.isatty():
        console().print(text, style="bold")
    else:
        builtins.print(text, flush=True)


def note(text: str) -> None:
    """Print what the user may want to know, but need not act on."""
    _marked("note", text, "cyan")


def warning(text: str) -> None:
    """Print what the user should probably act on."""
    _marked("warning", text, "yellow")


def _marked(kind: str, text: str, style: str) -> None:
    """Print a line that starts with its kind, to stderr, so that the output of a command can be piped."""
    if not sys.stderr.isatty():
        builtins.print(f"{kind}: {text}", file=sys.stderr, flush=True)
        return
    from rich.text import Text

    console(sys.stderr).print(Text.assemble((f"{kind}:", style), " ", text))


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, where: str = "") -> list[int]:
    """Print a table to stdout.

    In a window that is too narrow, columns are left out by their `drop_order`, and a last line names them.

    Args:
        columns: of the table.
        rows: their cells, one for each column.
        where: what to read for the columns that are left out, such as a file's name.

    Returns:
        The places of the columns that are left out.
    """
    screen = console()
    cells = [list(row) for row in rows]
    kept = _fitting(columns, cells, screen.width)
    print_table([columns[i] for i in kept], [[row[i] for i in kept] for row in cells], screen)
    left_out = [i for i in range(len(columns)) if i not in kept]
    if titles := [columns[i].title for i in left_out if columns[i].title]:
        source = f": see {where}" if where else ""
        screen.print(f"(this window is too narrow for {', '.join(titles)}{source})", style="dim")
    return left_out


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], screen: "Console") -> None:
    """Print all columns of a table on a rich console."""
    from rich.table import Table

    # Two spaces between columns, no lines: it can be read in a log, and parsed.
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column.title, justify=column.align, no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    screen.print(shown)


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the places of the columns that fit into `width` characters."""
    from rich.cells import cell_len

    sizes = [max(cell_len(text) for text in (column.title, *(row[i] for row in rows))) for i, column in enumerate(columns)]
    kept = list(range(len(columns)))
    for place in sorted((i for i in kept if columns[i].drop_order), key=lambda i: columns[i].drop_order):
        if sum(sizes[i] + 2 for i in kept) - 2 <= width:
            break
        kept.remove(place)
    return kept


def commands(lines: Sequence[tuple[str, str]]) -> None:
    """Print commands with descriptions: beside them, or in a narrow window on the next line.

    Args:
        lines: (command, description).
    """
    from rich.text import Text

    screen = console()
    longest = max(len(command) for command, _ in lines)
    room = screen.width - 2 - longest - 2
    for command, text in lines:
        # Not through rich: a command that is wider than the window must stay in one piece to be copied.
        if room < MIN_DESCRIPTION:
            builtins.print(f"  {command}\n      {text}")
            continue
        first, *others = (line.plain.rstrip() for line in Text(text).wrap(screen, room))
        builtins.print(f"  {command:<{longest}}  {first}")
        for other in others:
            builtins.print(" " * (2 + longest + 2) + other)


def perplexity(value: float | None) -> str:
    """`166.366` -> `166.4`; of characters, where a tenth is much: `1.8734` -> `1.873`."""
    if value is None:
        return "-"
    return f"{value:.1f}" if value >= FEW else f"{value:.3f}"
