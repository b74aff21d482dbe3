"""What the terminal shows: tables, bars and progress; quiet and uncoloured when piped."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from service.jobs.progress import Progress as Callback
from service.jobs.progress import silent

PIPED_WIDTH = 240
NARROW = 110
SHORT = 16  # a time, to the minute
STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "none": "dim"}
BAR = 24


def console() -> Console:
    """Make the console of standard output; in a pipe a row stays on one line, and nothing is coloured."""
    piped = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(width=piped, highlight=False)


def show(renderable: RenderableType) -> None:
    """Write something without the blanks that rich fills its lines up with."""
    target = console()
    with target.capture() as capture:
        target.print(renderable)
    lines = capture.get().splitlines()
    target.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def say(text: str = "") -> None:
    """Write a line for people, without markup."""
    console().print(text, markup=False)


def heading(text: str) -> None:
    """Write a line that opens a part of the output."""
    console().print(Text(text, style="bold"))


def note(text: str) -> None:
    """Write a line beside the result: to standard error, so that a pipe carries the result alone."""
    Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)


def severity(name: str) -> Text:
    """Colour a severity."""
    return Text(name, style=STYLES.get(name, ""))


def moment(text: str) -> str:
    """Shorten an RFC 3339 time in UTC to the minute.

    Examples
    --------
    >>> moment("2026-09-14T09:20:00Z")
    '2026-09-14 09:20'
    """
    return text[:16].replace("T", " ")


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = (), below: bool = False
) -> None:
    """Write a table as wide as it needs and at most as wide as the terminal; long cells wrap, nothing is cut off.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells of each row.
    right
        Headings of the columns that hold numbers.
    below
        Whether the last column, of sentences, stands below its row where the terminal is narrow.
    """
    if below and console().width < NARROW:
        show(Group(*_stacked(columns, rows, right)))
        return
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for index, column in enumerate(columns):
        short = column in right or all(len(str(row[index])) <= SHORT for row in rows)
        drawn.add_column(column, justify="right" if column in right else "left", no_wrap=short, overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    show(drawn)


def _stacked(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[str]
) -> Iterator[RenderableType]:
    widths = [max(len(str(row[index])) for row in [columns, *rows]) for index in range(len(columns) - 1)]
    for number, row in enumerate([columns, *rows]):
        line = Text(style="" if number else "bold")
        for name, cell, width in zip(columns, row, widths, strict=False):
            padding = " " * (width - len(str(cell)))
            line += Text(padding) + cell if name in right else Text() + cell + padding
            line += Text("  ")
        yield line
        if number:
            yield Padding(Text(str(row[-1]), style="dim"), (0, 0, 0, 4))


def bars(values: Sequence[tuple[str, float]], unit: str) -> None:
    """Write one bar per value; the longest is full."""
    longest = max((value for _, value in values), default=0.0)
    rows = []
    for name, value in values:
        filled = round(BAR * value / longest) if longest > 0 else 0
        rows.append(
            (name, Text("█" * filled, style="red") + Text("░" * (BAR - filled), style="dim"), f"{value:.1f} {unit}")
        )
    drawn = Table.grid(padding=(0, 2, 0, 0))
    drawn.add_column()
    drawn.add_column(no_wrap=True)
    drawn.add_column(justify="right", no_wrap=True)
    for row in rows:
        drawn.add_row(*row)
    show(drawn)


@contextmanager
def progress() -> Iterator[Callback]:
    """Show the steps of long work on standard error while it runs; nothing where that is not a terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with shown:
        task = shown.add_task("starting", total=1.0)
        yield lambda step, done: shown.update(task, description=step, completed=done)
