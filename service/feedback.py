"""What people told the service: changes that they announced and verdicts that they gave, kept beside the scores."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from features.addresses import registered_domain
from features.expectations import Expectation, literal
from features.images import parse_image
from service.database import Database
from service.statements import Change, Verdict
from service.tables import feedback_table, micros

MAX_LISTED = 1_000
# Features that name the same thing: whoever announces it announces it for all of them.
SETTINGS = ("config.new_setting", "config.rolled_out")
DESTINATIONS = ("network.new_destination", "network.drip")
EDGES = ("network.new_edge", "network.beacon", "network.internal_beacon")
RECREATED = ("config.drift", "config.creations", "config.deaths")
_ANY_AMOUNT = float("inf")


Pairs = tuple[tuple[str, str], ...]
Statement = TypeVar("Statement", Change, Verdict)
Kind = type[Change] | type[Verdict]


def new_id(kind: Kind) -> str:
    """Make an identifier that cannot be guessed from another."""
    return f"{kind.__name__.lower()}-{secrets.token_hex(6)}"


class FeedbackStore:
    """Changes and verdicts.

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, statement: Change | Verdict) -> None:
        """Keep a statement."""
        row = {
            "id": statement.id,
            "kind": type(statement).__name__,
            "until": micros(statement.until),
            "body": msgspec.json.encode(statement),
        }
        with self._database.writing() as connection:
            connection.execute(sa.insert(feedback_table), row)

    def statements(
        self, kind: type[Statement], *, at: datetime | None = None, limit: int | None = None
    ) -> list[Statement]:
        """List statements of a kind, the latest to expire first; with `at`, only those not expired by then."""
        statement = sa.select(feedback_table.c.body).where(feedback_table.c.kind == kind.__name__)
        if at is not None:
            statement = statement.where(feedback_table.c.until > micros(at))
        ordered = statement.order_by(feedback_table.c.until.desc(), feedback_table.c.id).limit(limit)
        with self._database.reading() as connection:
            return [msgspec.json.decode(body, type=kind) for body in connection.execute(ordered).scalars()]

    def withdraw(self, kind: type[Statement], name: str) -> Statement | None:
        """Forget a statement; give what it was, or None if there is none of this kind and id."""
        own = (feedback_table.c.id == name) & (feedback_table.c.kind == kind.__name__)
        delete = sa.delete(feedback_table).where(own).returning(feedback_table.c.body)
        with self._database.writing() as connection:
            body = connection.execute(delete).scalar()
        return None if body is None else msgspec.json.decode(body, type=kind)

    def expectations(self, *, since: datetime | None = None) -> list[Expectation]:
        """Give what is expected of windows that start at or after `since`: verdicts first, then changes."""
        verdicts = [one for one in self.statements(Verdict, at=since) if one.verdict == "expected"]
        return [*map(of_verdict, verdicts), *map(of_change, self.statements(Change, at=since))]


def of_verdict(verdict: Verdict) -> Expectation:
    """Say what an expected verdict explains."""
    return Expectation(
        id=verdict.id,
        workload=literal(verdict.workload),
        since=verdict.start,
        until=verdict.until,
        items=[(feature, literal(item)) for feature, item in verdict.items],
        at_most=verdict.at_most,
        image_repository=verdict.image_repository,
        cohort=verdict.cohort,
    )


def of_change(change: Change) -> Expectation:
    """Say what an announced change explains."""
    named = [*_of_image(change.image), *_of_fields(change.fields), *map(_of_destination, change.destinations)]
    rolled_out = change.image is not None or change.fields
    return Expectation(
        id=change.id,
        workload=change.workload,
        since=change.since,
        until=change.until,
        items=[pair for pairs in named for pair in pairs],
        at_most=dict.fromkeys(RECREATED, _ANY_AMOUNT) if rolled_out else {},
    )


def _of_image(reference: str | None) -> Iterator[Pairs]:
    if reference is None:
        return
    image = parse_image(reference)
    full, publisher = f"{image.registry}/{image.repository}", image.repository.partition("/")[0]
    yield (
        ("pulls.new_registry", image.registry),
        ("pulls.new_repository", full),
        ("pulls.new_publisher", f"{image.registry}/{publisher}"),
        *((feature, f"Image={reference.partition('@')[0]}") for feature in SETTINGS),
    )
    # sources abbreviate digests, and one that names none is any of its tag
    digest = f"{image.digest[:19]}" if image.digest else "*"
    for by in ("", "(manifest) "):
        yield (("pulls.moved_tag", f"{full}:{image.tag or '*'} {by}{digest}"),)


def _of_fields(fields: Sequence[str]) -> Iterator[Pairs]:
    for name in fields:
        pattern = name if "=" in name else f"{name}=*"
        yield (*((feature, pattern) for feature in SETTINGS), ("config.new_privilege", pattern))


def _of_destination(destination: str) -> Pairs:
    host, colon, port = destination.rpartition(":")
    if not (colon and port.isdigit()):
        host, port = destination, "*"
    domain = registered_domain(host)
    return (
        ("network.new_name", domain),
        ("network.bare_address", host),
        *((feature, name) for feature in DESTINATIONS for name in (host, domain)),
        *((feature, f"{name}:{port}") for feature in EDGES for name in (host, domain)),
        *((("network.new_port", f"{port}/*"),) if port != "*" else ()),
    )
