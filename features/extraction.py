"""From events to the features of windows, and from a lake to them day by day within one process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

import polars as pl

from features.addresses import INTERNAL, Network
from features.answers import Answers
from features.events import EPOCH, KINDS, TIME, with_missing
from features.flows import CONNECTED, name_destinations
from features.lake_reader import LakeReader
from features.leases import Leases, attribute
from features.lives import Lives
from features.protocols import NOTHING, Extraction, Extractor, LookingBack, Trail, extractors, specs
from features.rollouts import LIFE_KINDS
from features.windows import (
    FACTS_SCHEMA,
    ITEMS_SCHEMA,
    KEY,
    TRAILING,
    WINDOW,
    Windows,
    floor_window,
    in_order,
    starting,
)

DAY = timedelta(days=1)
# Traffic and control are read apart, each with its own columns: together they would be mostly nulls, and nulls of text
# take as much memory as text.
SHARED = ("ts", "event_id", "kind", "host", "container_id", "workload", "actor", "src_ip", "dst_ip", "conn_state")
TRAFFIC = ("flow", "dns", "tls", "http")
TRAFFIC_COLUMNS = (
    *SHARED, "dst_port", "proto", "service", "bytes_out", "bytes_in", "duration", "uid", "server_name", "established",
    "ja3", "ja4", "query", "qtype", "rcode", "answers", "method", "uri", "user_agent",
)  # fmt: skip
CONTROL = tuple(kind for kind in KINDS if kind not in TRAFFIC)
CONTROL_COLUMNS = (
    *SHARED, "action", "namespace", "image_registry", "image_repository", "image_tag", "image_digest", "config",
    "command", "resource", "name", "status", "user_agent", "uri", "rule",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Events that are extracted together, after those of earlier windows.

    Parameters
    ----------
    events
        Attributed events of whole windows, in time order; where flows went is named (`features.flows`).
    until
        How far time has come with them: what no longer happens is told up to then.
    """

    events: pl.DataFrame
    until: datetime


def extract(
    events: pl.DataFrame, *, answers: Answers | None = None, since: datetime = EPOCH, until: datetime | None = None
) -> Windows:
    """Compute every feature of windows.

    Parameters
    ----------
    events
        Attributed events (`features.leases.attribute`), in time order; columns left out are taken as null. Features
        that look back see only what is given: pass the `TRAILING` hours before `since` too.
    answers
        What DNS answered to the whole fleet; None: what the events say of it.
    since
        Windows that start earlier are left out.
    until
        How far time has come: what no longer happens is told up to then. None: up to the last of the events.
    """
    return assemble(extractions([prepared(events, answers=answers, until=until)], since), images_of(events))


def prepared(events: pl.DataFrame, *, answers: Answers | None = None, until: datetime | None = None) -> Part:
    """Make events ready for extractors; parameters as of `extract`."""
    last: datetime | None = events["ts"].max()  # type: ignore[assignment]  # a column of times
    events = with_missing(events)
    if events["kind"].is_in(CONNECTED).any():
        events = name_destinations(events, Answers.of(events) if answers is None else answers)
    return Part(events, until or last or EPOCH)


def extractions(parts: Iterable[Part], since: datetime = EPOCH) -> list[Extraction]:
    """Ask each extractor of whose kinds there are events, of one part after another.

    Parameters
    ----------
    parts
        Each begins with the first window after `until` of the one before.
    since
        Windows that start earlier are left out.
    """
    found: dict[str, list[Extraction]] = {}
    trails: dict[str, Trail] = {}
    for part in parts:
        kinds = set(part.events["kind"].unique())
        # What is told of a silence may lie in windows that have not come yet.
        told = starting(since) & (pl.col("window_start") <= pl.lit(part.until, TIME))
        for name, one in extractors().items():
            if name not in trails and kinds.isdisjoint(one.kinds):
                continue
            trails[name] = _trail(one, part.events, trails.get(name, NOTHING))
            if part.until >= since:
                own = _extraction(one, part.events, since, trails[name])
                found.setdefault(name, []).append(Extraction(own.values.filter(told), own.items.filter(told)))
        since = max(since, floor_window(part.until) + WINDOW)
        del part  # while the next one is read
    return [Extraction(pl.concat(e.values for e in own), pl.concat(e.items for e in own)) for own in found.values()]


def _trail(one: Extractor, events: pl.DataFrame, before: Trail) -> Trail:
    return one.trail(events, before) if isinstance(one, LookingBack) else NOTHING


def _extraction(one: Extractor, events: pl.DataFrame, since: datetime, trail: Trail) -> Extraction:
    return one.extract(events, since, trail) if isinstance(one, LookingBack) else one.extract(events, since)


def assemble(found: Sequence[Extraction], facts: pl.DataFrame) -> Windows:
    """Join what extractors found, of events of one class or of several, to windows with a column for every feature."""
    items = [pl.DataFrame(schema=ITEMS_SCHEMA), *(one.items.select(ITEMS_SCHEMA.keys()) for one in found)]
    met = in_order(pl.concat(items).drop_nulls())
    windows = met.select(KEY).filter(pl.any_horizontal(pl.col(KEY).ne_missing(pl.col(KEY).shift())))
    keys = pl.concat([windows, *(one.values.select(KEY) for one in found)]).unique().drop_nulls().sort(KEY)
    tables = [one.values for one in found if one.values.width > len(KEY)]
    values = reduce(lambda left, table: left.join(table, on=KEY, how="left"), tables, keys)
    numbers = [spec.name for spec in specs().values() if spec.kind != "items"]
    missing = [pl.lit(None, pl.Float64).alias(name) for name in numbers if name not in values.columns]
    return Windows(values.with_columns(missing).select(*KEY, *numbers).sort(KEY), met, facts)


def images_of(events: pl.DataFrame) -> pl.DataFrame:
    """Say which image each workload last ran: `FACTS_SCHEMA`."""
    named = pl.col("workload").is_not_null() & pl.col("image_repository").is_not_null()
    told = events.filter(named & pl.col("kind").is_in(LIFE_KINDS)).group_by("workload")
    last = told.agg(pl.col("image_repository").sort_by("ts", "event_id").last())
    return last.select(FACTS_SCHEMA.keys()).sort("workload")


def read_leases(lake: LakeReader, until: datetime | None = None) -> Leases:
    """Build the leases that everything before `until` tells of; None: everything."""
    return Lives(lake).renew().leases(until)


def closed_until(lake: LakeReader, now: datetime | None = None) -> datetime | None:
    """Give the end of the last closed window: event time has passed it. None for an empty lake.

    Events after `now` are of a broken clock and close nothing.
    """
    span = lake.span(now)
    return floor_window(span[1]) if span else None


def floor_day(moment: datetime) -> datetime:
    """Give the start of the day in UTC that `moment` lies in."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def extract_days(
    lake: LakeReader,
    since: datetime,
    until: datetime,
    *,
    networks: tuple[Network, ...] = INTERNAL,
    lives: Lives | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[Windows]:
    """Extract the windows that lie in [since, until), day by day in UTC.

    Days are the unit whatever the span asked for, so that a window has the same features in every run that holds the
    same events. Peak memory is that of all leases and two days of events.

    Parameters
    ----------
    lives
        What was read before of the lake's containers, and is kept up to date; None: all that is needed is read.
    progress
        Called with the share done, 0 to 1.
    """
    lives = (lives or Lives(lake)).renew()
    leases = lives.leases(until)
    for day in lake.days(since, until) or [floor_day(since)]:
        end = min(day + DAY, until)
        traffic = lake.read(since=day - TRAILING, until=end, kinds=TRAFFIC, columns=TRAFFIC_COLUMNS)
        begin = day - 2 * WINDOW
        stood = lives.standing(begin, CONTROL_COLUMNS)
        recent = lake.read(since=begin, until=end, kinds=CONTROL, columns=CONTROL_COLUMNS)
        control = pl.concat([stood, recent])
        first = max(day, since)
        attributed = [attribute(events, leases, networks) for events in (traffic, control)]
        found = [one for events in attributed for one in extractions([prepared(events)], first)]
        windows = assemble(found, images_of(attributed[1]))
        yield windows.between(first, end - WINDOW + timedelta(microseconds=1))
        progress(min((end - since) / (until - since), 1.0) if until > since else 1.0)
