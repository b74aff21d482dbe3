"""Writes into the outbox what outputs are still to be told."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from features.windows import WINDOW
from models.incidents import alerts
from models.scores import SEVERITIES, Score, Severity
from service.jobs.transitions import LOOK_BACK, Writer, transitions
from service.labels import hosts_of
from service.outputs.notices import Told
from service.statements import Verdict
from service.storage import MAX_LIMIT
from service.tables import told_table
from service.wiring import Home

FORGET = timedelta(days=30)  # after the end of an alert
MOST_HOSTS = 20


def announce(home: Home, *, now: datetime) -> int:
    """Compare what is stored with what each output was told, and keep a message for each difference.

    What is told and the messages that tell it are one transaction. That they are derived from what is stored, and not
    from what was just scored, makes up for a run that was killed before it came here.

    Returns
    -------
    How many messages were written.
    """
    home.outbox.tidy([output.name for output in home.outputs], now=now)
    span = home.store.span()
    if not home.outputs or span is None:
        return 0
    latest = span[1] + WINDOW
    strange = list(_strange(home, latest - LOOK_BACK))
    verdicts = home.feedback.statements(Verdict)
    written = 0
    for output in home.outputs:
        found = alerts(strange, at_least=output.severity)
        compare = partial(_compare, found=found, verdicts=verdicts, accepts=output.accepts, latest=latest)
        writer = Writer(now=now, new_id=lambda: secrets.token_hex(16), public_url=home.settings.public_url)
        with home.database.reading() as connection:
            expected = compare(home.outbox.told(connection, output.name), writer=writer)
        # looked up before the transaction, which others wait for
        new = {one.notice.alert.workload for one in expected if one.notice.event == "opened"}
        found_on = {name: hosts_of(home.database, name, latest - LOOK_BACK, latest)[:MOST_HOSTS] for name in new}
        writer = replace(writer, hosts=found_on)
        with home.database.alone([told_table]) as connection:
            told = home.outbox.told(connection, output.name)
            steps = compare(told, writer=writer)
            fresh = {one.notice.id for one in steps} - {one.notice.id for one in told}
            home.outbox.tell(connection, output.name, steps, fresh=fresh)
            home.outbox.forget(connection, latest - FORGET)
        written += len(fresh)
    return written


def _compare(told: Sequence[Told], **facts: Any) -> list[Told]:  # noqa: ANN401 -- what `transitions` takes
    """Give every step until all is told, in order."""
    known = {one.notice.alert.id: one for one in told}
    steps: list[Told] = []
    while found := transitions(list(known.values()), **facts):
        steps += found
        known |= {one.notice.alert.id: one for one in found}
    return steps


def _strange(home: Home, since: datetime) -> Iterator[Score]:
    """Read the scores that are strange to the output that counts most windows as strange."""
    least: Severity = min((output.severity for output in home.outputs), key=SEVERITIES.index)
    cursor: str | None = None
    while True:
        page, cursor = home.store.query(since=since, severity=least, limit=MAX_LIMIT, cursor=cursor)
        yield from page
        if cursor is None:
            return
