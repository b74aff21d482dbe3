"""What the terminal shows: tables, bars and progress; quiet and uncoloured when piped."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from service.jobs.progress import Progress as Callback
from service.jobs.progress import silent

PIPED_WIDTH = 120
STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "none": "dim"}
BAR = 24


def console() -> Console:
    """Make the console of standard output; in a pipe its lines are wide and carry no colour."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False, soft_wrap=False)


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


def table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = ()) -> None:
    """Write a table as wide as it needs and at most as wide as the terminal; long cells wrap, nothing is cut off.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells of each row.
    right
        Headings of the columns that hold numbers.
    """
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for column in columns:
        narrow = column in right or all(len(str(row[columns.index(column)])) <= 16 for row in rows)  # noqa: PLR2004 -- a time
        drawn.add_column(column, justify="right" if column in right else "left", no_wrap=narrow, overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console().print(drawn)


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
    console().print(drawn)


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
