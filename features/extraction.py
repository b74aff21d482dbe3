"""From events to the features of windows, and from a lake to them day by day within one process."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce

import polars as pl

from features.addresses import INTERNAL, Network
from features.answers import Answers
from features.events import KINDS, TIME, conform, with_missing
from features.flows import name_destinations
from features.lake import Lake
from features.leases import HEALTHCHECK, LEASE_COLUMNS, LEASE_KINDS, Leases, attribute, build_leases
from features.protocols import extractors
from features.rollouts import LIFE_KINDS, standing
from features.windows import (
    FACTS_SCHEMA,
    ITEMS_SCHEMA,
    KEY,
    TRAILING,
    WINDOW,
    Windows,
    floor_window,
    in_order,
    merge_windows,
)

DAY = timedelta(days=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
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


def extract(events: pl.DataFrame, *, answers: Answers | None = None, until: datetime | None = None) -> Windows:
    """Compute every feature of every window.

    Parameters
    ----------
    events
        Attributed events (`features.leases.attribute`), in time order; columns left out are taken as null. Features
        that look back see only what is given: pass the `TRAILING` hours before the first window too, and cut them
        off with `Windows.between`.
    answers
        What DNS answered to the whole fleet; None: what the events say of it.
    until
        How far time has come: what no longer happens is told up to then. None: up to the last of the events.
    """
    events = with_missing(events)
    until = events["ts"].max() if until is None else until  # type: ignore[assignment]  # a column of times
    named = name_destinations(events, Answers.of(events) if answers is None else answers)
    found = [extractor.extract(named) for extractor in extractors().values()]
    items = pl.concat([pl.DataFrame(schema=ITEMS_SCHEMA), *(f.items.select(ITEMS_SCHEMA.keys()) for f in found)])
    # What is told of a silence may lie in windows that have not come yet.
    items = in_order(items.filter(pl.col("window_start") <= pl.lit(until, TIME)).drop_nulls())
    met = items.select(KEY).filter(pl.struct(KEY).ne_missing(pl.struct(KEY).shift()))
    keys = pl.concat([*(f.values.select(KEY) for f in found), met]).unique().drop_nulls().sort(KEY)
    values = reduce(lambda left, f: left.join(f.values, on=KEY, how="left"), found, keys)
    facts = (
        events.filter(pl.col("workload").is_not_null() & pl.col("image_repository").is_not_null())
        .filter(pl.col("kind").is_in(["config", "lifecycle"]))
        .group_by("workload")
        .agg(pl.col("image_repository").sort_by("ts", "event_id").last())
    )
    return Windows(
        values.sort(KEY),
        items,
        facts.select(FACTS_SCHEMA.keys()).sort("workload"),
    )


def read_leases(lake: Lake, until: datetime | None = None) -> Leases:
    """Build the leases that everything before `until` tells of.

    Of configurations, which are most of what is read, only what leases keep is held from one day to the next.
    """
    kept = pl.col("config").list.filter(pl.element().str.starts_with(HEALTHCHECK))
    first, last = lake.span() or (_NEVER, _NEVER)
    until = last + timedelta.resolution if until is None else until
    told = [conform(pl.DataFrame()).select(LEASE_COLUMNS)]
    for day in lake.days(first, until):
        events = lake.read(day, min(day + DAY, until), LEASE_KINDS, LEASE_COLUMNS)
        told.append(events.with_columns(kept))
    return build_leases(pl.concat(told))


def closed_until(lake: Lake, now: datetime | None = None) -> datetime | None:
    """Give the end of the last closed window: event time has passed it. None for an empty lake.

    Events after `now` are of a broken clock and close nothing.
    """
    span = lake.span(now)
    return floor_window(span[1]) if span else None


def floor_day(moment: datetime) -> datetime:
    """Give the start of the day in UTC that `moment` lies in."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def extract_days(
    lake: Lake,
    since: datetime,
    until: datetime,
    *,
    networks: tuple[Network, ...] = INTERNAL,
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[Windows]:
    """Extract the windows that lie in [since, until), day by day in UTC.

    Days are the unit whatever the span asked for, so that a window has the same features in every run that holds the
    same events. Peak memory is that of all leases and two days of events; at first, of the lives of containers before.

    Parameters
    ----------
    progress
        Called with the share done, 0 to 1.
    """
    leases = read_leases(lake, until)
    stood, told = conform(pl.DataFrame()).select(CONTROL_COLUMNS), None
    for day in lake.days(since, until) or [floor_day(since)]:
        end = min(day + DAY, until)
        traffic = lake.read(since=day - TRAILING, until=end, kinds=TRAFFIC, columns=TRAFFIC_COLUMNS)
        begin = day - 2 * WINDOW
        life = lake.read(since=told, until=begin, kinds=LIFE_KINDS, columns=CONTROL_COLUMNS)
        stood, told = standing(pl.concat([stood, life])), begin
        recent = lake.read(since=begin, until=end, kinds=CONTROL, columns=CONTROL_COLUMNS)
        control = pl.concat([stood, recent])
        found = [extract(attribute(events, leases, networks)) for events in (traffic, control)]
        yield merge_windows(found).between(max(day, since), end - WINDOW + timedelta(microseconds=1))
        progress(min((end - since) / (until - since), 1.0) if until > since else 1.0)
