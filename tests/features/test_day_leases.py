"""Of all leases those of a day: what they name is what all name, and their digest changes with them alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.day_leases import DayLeases
from features.events import frame
from features.leases import Leases, attribute, build_leases, is_pull
from features.survey import COLUMNS, Marks, mark

START = datetime(2026, 9, 14, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTES = st.integers(0, 3 * 24 * 60 - 1)
IDS = st.sampled_from(["a", "b", "c"])
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "203.0.113.7"])
HOSTS = st.sampled_from(["n1", "n2", None])


@st.composite
def told(draw: Callable[..., Any]) -> dict[str, Any]:
    """A snapshot, another life event, a pull or a flow, of few containers and addresses."""
    row = {"ts": START + timedelta(minutes=draw(MINUTES)), "host": draw(HOSTS)}
    kind = draw(st.sampled_from(["config", "lifecycle", "pull", "flow", "flow"]))
    if kind == "flow":
        return row | {"kind": kind, "src_ip": draw(ADDRESSES), "dst_ip": draw(ADDRESSES), "conn_state": "SF"}
    row |= {"kind": kind, "image_repository": "shop/api"}
    if kind == "pull":
        return row | {"action": "pull"}
    own = {"container_id": draw(IDS), "workload": draw(st.sampled_from(["docker:shop/api", "docker:shop/db", None]))}
    if kind == "lifecycle":
        return row | own | {"action": draw(st.sampled_from(["create", "start", "die"]))}
    begun = row["ts"] - timedelta(minutes=draw(st.sampled_from([0, 5, 2000])))
    return row | own | {"addresses": [draw(ADDRESSES)], "valid_from": begun, "config": ["Healthcheck=true"]}


def all_leases(events: pl.DataFrame) -> tuple[Leases, DayLeases]:
    leases = build_leases(events)
    return leases, DayLeases(leases, events.filter(is_pull()).sort("ts")["ts"])


def marks(events: pl.DataFrame) -> Marks:
    names = pl.concat([events[name].drop_nulls().alias("name") for name in COLUMNS[2:]]).to_frame()
    return np.sort(names.select(mark("name").unique()).to_series().to_numpy())


def of_day(events: pl.DataFrame, since: datetime) -> pl.DataFrame:
    return events.filter(pl.col("ts") >= since, pl.col("ts") < since + DAY)


@given(rows=st.lists(told(), min_size=1, max_size=30), late=st.lists(told(), max_size=4))
def test_a_day_is_named_by_its_own_leases(rows: list[dict[str, Any]], late: list[dict[str, Any]]) -> None:
    """They name what all leases name; while more is learnt, the digest stays as they do, and with it all names."""
    events = frame({"event_id": number} | row for number, row in enumerate(rows))
    more = pl.concat([events, frame({"event_id": 100 + number} | row for number, row in enumerate(late))])
    (before, days), (after, more_days) = all_leases(events), all_leases(more)

    for since in (START, START + DAY, START + 2 * DAY):
        day = of_day(events, since)
        span = since, since + DAY, marks(day)
        own, later = days.during(*span), more_days.during(*span)
        same = all(getattr(own, name).equals(getattr(later, name)) for name in vars(own))

        assert attribute(day, own).equals(attribute(day, before))
        assert attribute(day, later).equals(attribute(day, after))
        assert (days.digest(*span) == more_days.digest(*span)) == same


def test_who_runs_the_next_day_matters_where_a_pull_asks() -> None:
    """A container that is made soon after midnight is what a pull before it was for; without the pull it is nothing."""
    created = {"ts": START + DAY + timedelta(minutes=5), "kind": "lifecycle", "action": "create", "host": "n1"}
    created |= {"container_id": "a", "workload": "docker:shop/api", "image_repository": "shop/api"}
    pull = {"kind": "pull", "action": "pull", "host": "n1", "image_repository": "shop/api"}
    early, close = (pull | {"ts": START + DAY - timedelta(minutes=m)} for m in (11, 5))

    for pulls, runs in (([], 0), ([early], 0), ([early, close], 1)):
        events = frame({"event_id": number} | row for number, row in enumerate([created, *pulls]))
        _, days = all_leases(events)

        assert len(days.during(START, START + DAY, marks(events)).runs) == runs
