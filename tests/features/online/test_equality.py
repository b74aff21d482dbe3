"""What is told while events come in is what the batch path tells of the same events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from features.extraction import extract, read_leases
from features.leases import attribute
from features.online.windows import LATENESS, OnlineWindows, extract_few
from features.windows import KEY, WINDOW, Windows, floor_window
from tests.estates import Estate
from tests.features.online.telemetry import START, Row, frame, telemetry

HOURS = 20.0
Told = dict[tuple[str, datetime], dict[str, Any]]


def same(online: Windows, batch: Windows) -> None:
    assert online.values.select(batch.values.columns).to_dicts() == batch.values.to_dicts()
    assert online.items.to_dicts() == batch.items.to_dicts()
    assert online.facts.to_dicts() == batch.facts.to_dicts()


@pytest.mark.slow
@examples(max_examples=60)
@given(st.data())
def test_rows_give_what_a_frame_gives(data: st.DataObject) -> None:
    """Whatever the events and their order, the windows of rows are those of a frame."""
    rows = data.draw(telemetry(HOURS))
    events = frame(rows)
    order = data.draw(st.permutations(range(len(events))))

    same(extract_few(events[order]), extract(events))


class Stream:
    """Windows fed with chunks and closed now and then, and what the batch path makes of the same events."""

    def __init__(self) -> None:
        self.online = OnlineWindows()
        self.taken: list[Row] = []
        self.closed = datetime(1970, 1, 2, tzinfo=UTC)
        self.latest = self.closed
        self.told: Told = {}

    @property
    def forgotten(self) -> datetime:
        return self.closed - LATENESS * WINDOW

    def add(self, rows: list[Row]) -> None:
        self.online.add(rows)
        self.taken += [row for row in rows if row["ts"] >= self.forgotten]
        self.latest = max(self.latest, *(row["ts"] for row in rows))

    @property
    def due(self) -> bool:
        """Whether a window is over that is not closed."""
        return floor_window(self.latest) > self.closed

    def close(self) -> None:
        """Close what event time has passed, and remember what was told of each window last."""
        self.closed = max(self.closed, floor_window(self.latest))
        self.told |= by_window(self.online.close(self.closed))

    def check(self) -> None:
        """See that all windows that are not forgotten were told of as the batch path tells of them now."""
        batch = by_window(extract(frame(self.taken)))
        recent = {key: row for key, row in batch.items() if key[1] >= self.forgotten}
        told = {key: row for key, row in self.told.items() if key[1] >= self.forgotten}

        assert stands(told, batch) == {key: row for key, row in recent.items() if key[1] < self.closed}
        assert by_window(self.online.between(self.forgotten, self.closed + WINDOW)) == recent


def stands(told: Told, batch: Told) -> Told:
    """Leave out windows of which nothing was told but that nothing of what had been told holds."""
    return {
        key: row
        for key, row in told.items()
        if key in batch or any(value is not None for name, value in row.items() if name not in KEY)
    }


def by_window(found: Windows) -> Told:
    """Give values and items by workload and window."""
    columns = sorted(found.values.columns)
    items = found.items.group_by(KEY).agg(pl.struct("feature", "item", "count").sort())
    told = found.values.select(columns).join(items, on=KEY, how="left")
    return {(row["workload"], row["window_start"]): row for row in told.to_dicts()}


@pytest.mark.slow
@examples(max_examples=60)
@given(
    st.sampled_from([2.0, 20.0]).flatmap(telemetry),
    st.lists(st.integers(0, 90), min_size=1, max_size=40),
    st.integers(1, 5),
)
def test_events_in_chunks_and_late_are_told_as_if_they_had_come_together(
    rows: list[Row], delays: list[int], chunks: int
) -> None:
    """Events come up to an hour and a half late, in chunks between which windows are closed.

    Those of windows that ended an hour ago count for nothing; all others change what was told.
    """
    arrivals = [(row["ts"] + timedelta(minutes=delays[n % len(delays)]), n, row) for n, row in enumerate(rows)]
    late = [row for _, _, row in sorted(arrivals, key=lambda arrival: arrival[:2])]
    stream = Stream()

    size = len(late) // chunks + 1
    for begin in range(0, len(late), size):
        stream.add(late[begin : begin + size])
        stream.close()
        stream.check()

    assert stream.online.dropped["late"] == len(late) - len(stream.taken)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 20, 500])
def test_an_estate_is_told_as_the_batch_path_tells_it(estate: Estate, size: int) -> None:
    """Two days of an estate that come in chunks, shuffled within the hour, are told as if they had come together."""
    since = estate.until - timedelta(hours=24)
    events = attribute(estate.lake.read(since, since + timedelta(hours=48)), read_leases(estate.lake))
    rows = events.with_columns(late=pl.col("ts") + pl.duration(minutes=pl.int_range(pl.len()).shuffle(seed=1) % 50))
    stream = Stream()

    for chunk in rows.sort("late").drop("late").iter_slices(size):
        stream.add(chunk.rows(named=True))
        if stream.due:
            stream.close()
    stream.close()
    stream.check()

    assert stream.online.dropped.total() == 0
    batch = by_window(extract(events))
    assert stands(stream.told, batch) == {key: row for key, row in batch.items() if key[1] < stream.closed}


def test_a_connection_keeps_its_destination_when_its_address_is_named_anew() -> None:
    """What is said hours into a connection goes to whom it reached, whatever its address is called by then."""
    about = {"workload": "docker:shop/api", "dst_ip": "203.0.113.7", "uid": "C1", "external": True}
    told: list[tuple[float, Row]] = [
        (0, {"kind": "dns", "query": "a.shop.example", "answers": ["203.0.113.7"]}),
        (1, {"kind": "flow"}),
        (120, {"kind": "dns", "query": "b.other.example", "answers": ["203.0.113.7"]}),
        (240, {"kind": "tls"}),
        (260, {"kind": "alert"}),
    ]
    stream = Stream()

    for number, (minutes, row) in enumerate(told):
        stream.add([about | row | {"ts": START + timedelta(minutes=minutes), "event_id": number}])
        stream.close()
        stream.check()

    assert "without a server name to shop.example" in str(stream.told)
