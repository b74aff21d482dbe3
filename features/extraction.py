"""From the lake to windows: a day at a time, so that memory follows the busiest day and not the span."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from features.addresses import INTERNAL, Network
from features.events import EVENT_SCHEMA
from features.lake import Lake
from features.leases import LEASE_COLUMNS, LEASE_KINDS, Leases, attribute, build_leases
from features.windows import TRAILING, WINDOW, Windows, extract, floor_window

DAY = timedelta(days=1)
LOOK_BACK = ("flow", "dns", "tls", "http")
COLUMNS = tuple(c for c in EVENT_SCHEMA if c not in {"record_id", "raw_ref", "cluster", "tls_version", "alpn", "rule"})


def read_leases(lake: Lake, until: datetime | None = None) -> Leases:
    """Build the leases that everything before `until` tells of."""
    return build_leases(lake.read(until=until, kinds=LEASE_KINDS, columns=LEASE_COLUMNS))


def closed_until(lake: Lake) -> datetime | None:
    """Give the end of the last closed window: event time has passed it. None for an empty lake."""
    span = lake.span()
    return floor_window(span[1]) if span else None


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
    same events. Peak memory is that of two days of events.

    Parameters
    ----------
    progress
        Called with the share done, 0 to 1.
    """
    leases = read_leases(lake, until)
    day = since.replace(hour=0, minute=0, second=0, microsecond=0)
    first = day
    while day < until:
        end = min(day + DAY, until)
        events = lake.read(since=day, until=end, columns=COLUMNS)
        if not events.is_empty():
            before = lake.read(since=day - TRAILING, until=day, kinds=LOOK_BACK, columns=COLUMNS)
            windows = extract(attribute(before.vstack(events), leases, networks))
            yield windows.between(max(day, since), end - WINDOW + timedelta(microseconds=1))
        day += DAY
        progress(min((day - first) / (until - first), 1.0))
