"""Options that several commands share, and the way from an invocation to its home."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import click

from service.cli.group import CommandError, Invocation
from service.settings import Settings
from service.wiring import Home, open_home


class Moment(click.ParamType[datetime]):
    """A time in ISO 8601; one without an offset is UTC, a date alone is its midnight."""

    name = "iso time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 -- what click hands over
        """Read a time.

        Examples
        --------
        >>> Moment().convert("2026-09-14T11:20:00+02:00", None, None)
        datetime.datetime(2026, 9, 14, 9, 20, tzinfo=datetime.timezone.utc)
        """
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO time such as 2026-09-14T09:20:00Z", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def since(meaning: str) -> Decorator:
    """Make the option `--since`."""
    return click.option("--since", type=Moment(), metavar="ISO", help=meaning)


def until(meaning: str) -> Decorator:
    """Make the option `--until`."""
    return click.option("--until", type=Moment(), metavar="ISO", help=meaning)


def output_format() -> Decorator:
    """Make the option `--format`; its value arrives as `shape`."""
    kinds = click.Choice(["table", "ndjson"])
    return click.option(
        "--format", "shape", type=kinds, default="table", show_default=True, help="For people or for tools."
    )


def make_writable(folder: Path) -> None:
    """Make a folder to write into before the work begins, so that hours of it are not lost.

    Raises
    ------
    CommandError
        If it cannot be made, or nothing can be written there.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            file.write(b"writable")
    except OSError as error:
        raise CommandError(f"cannot write into {folder}: {error.strerror} (name another folder)") from error


def settings_of(invocation: Invocation) -> Settings:
    """Read the settings of this invocation."""
    return Settings.load(invocation.home, os.environ)


def home_of(invocation: Invocation) -> Home:
    """Open the home of this invocation; its database is closed when the command has run."""
    home = open_home(settings_of(invocation))
    click.get_current_context().call_on_close(home.database.close)
    return home
