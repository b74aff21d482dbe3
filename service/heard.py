"""Up to when each source was heard of each host, in event time."""

from datetime import datetime

import polars as pl
import sqlalchemy as sa

from service.database import Database
from service.tables import from_micros, heard_table, micros


class Heard:
    """The latest event of each source and host that sent any.

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, latest: pl.DataFrame) -> None:
        """Keep what was heard (`features.watermark.latest_heard`); an earlier time changes nothing."""
        rows = latest.with_columns(pl.col("latest").to_physical()).to_dicts()
        if not rows:
            return
        mine = (heard_table.c.source == sa.bindparam("of")) & (heard_table.c.host == sa.bindparam("on"))
        later = heard_table.c.latest < sa.bindparam("at")
        update = sa.update(heard_table).where(mine, later).values(latest=sa.bindparam("at"))
        with self._database.writing() as connection:
            connection.execute(self._database.insert_new(heard_table), rows)
            connection.execute(update, [{"of": r["source"], "on": r["host"], "at": r["latest"]} for r in rows])

    def forget(self, before: datetime) -> None:
        """Forget who was not heard since a time."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(heard_table).where(heard_table.c.latest < micros(before)))

    def latest(self) -> list[datetime]:
        """Give the time of the latest event of each source and host."""
        with self._database.reading() as connection:
            return [from_micros(at) for at in connection.execute(sa.select(heard_table.c.latest)).scalars()]

    def by_sender(self) -> dict[tuple[str, str], datetime]:
        """Give the time of the latest event by source and host, the one longest silent first."""
        columns = (heard_table.c.source, heard_table.c.host, heard_table.c.latest)
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(*columns).order_by(heard_table.c.latest)).all()
        return {(source, host): from_micros(latest) for source, host, latest in rows}
