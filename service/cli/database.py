"""`wharfinger database`: its state, its migration, and copies of it."""

from pathlib import Path

import click
import sqlalchemy as sa

from service import backup
from service.cli import terminal
from service.cli.group import CommandError, Invocation
from service.cli.options import home_of, make_writable, settings_of
from service.database import Sqlite, connect
from service.migrations import HEAD
from service.tables import metadata


@click.group("database")
def command() -> None:
    """Show, migrate, back up and restore the database."""


@command.command("status")
@click.pass_obj
def status(invocation: Invocation) -> None:
    """Show where it is, its schema, its size and its tables; nothing is changed."""
    settings = settings_of(invocation)
    database = connect(settings.database_url, settings.home)
    click.get_current_context().call_on_close(database.close)
    if isinstance(database, Sqlite) and not database.path.exists():
        raise CommandError(f"there is no database {database.path} yet (run wharfinger database migrate)")
    found = database.revision()
    pending = "" if found == HEAD else f", this version needs {HEAD} (run wharfinger database migrate)"
    terminal.say(database.name)
    terminal.say(f"schema {found or 'of before migrations'}{pending}, {_megabytes(database.size())}")
    with database.reading() as connection:
        there = set(sa.inspect(connection).get_table_names())
        rows = [
            (table.name, f"{connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one():,}")
            for table in metadata.sorted_tables
            if table.name in there
        ]
    terminal.table(("table", "rows"), rows, right=("rows",))


@command.command("migrate")
@click.pass_obj
def migrate(invocation: Invocation) -> None:
    """Bring the schema up to date, as every other command does before it starts."""
    terminal.say(f"{home_of(invocation).database.name}: schema {HEAD}")


@command.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def back_up(invocation: Invocation, file: Path) -> None:
    """Write a copy to FILE while the service goes on; its form does not depend on where the rows are stored."""
    make_writable(file.absolute().parent)
    backup.back_up(home_of(invocation).database, file.absolute())
    terminal.say(f"{file}: {_megabytes(file.stat().st_size)}")


@command.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Lose the rows that there are.")
@click.pass_obj
def restore(invocation: Invocation, file: Path, *, replace: bool) -> None:
    """Put the rows of the backup FILE into the database."""
    database = home_of(invocation).database
    terminal.say(f"{database.name}: {backup.restore(database, file, replace=replace):,} rows restored")


@command.command("vacuum")
@click.pass_obj
def vacuum(invocation: Invocation) -> None:
    """Give room of deleted rows back."""
    database = home_of(invocation).database
    before = database.size()
    database.vacuum()
    terminal.say(f"{database.name}: {_megabytes(before)} before, {_megabytes(database.size())} now")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
