"""From the lake to windows: a day at a time, so that memory follows the busiest day and not the span."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from features.addresses import INTERNAL, Network
from features.events import KINDS, conform
from features.lake import Lake
from features.leases import LEASE_COLUMNS, LEASE_KINDS, Leases, attribute, build_leases
from features.rollouts import LIFE_KINDS, standing
from features.windows import TRAILING, WINDOW, Windows, extract, floor_window, merge_windows

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
    "command", "resource", "name", "status", "user_agent",
)  # fmt: skip


def read_leases(lake: Lake, until: datetime | None = None) -> Leases:
    """Build the leases that everything before `until` tells of."""
    return build_leases(lake.read(until=until, kinds=LEASE_KINDS, columns=LEASE_COLUMNS))


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
