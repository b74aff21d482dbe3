"""On which hosts workloads ran."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.events import conform
from features.placements import PLACEMENT_COLUMNS, hosts_of_windows, placements
from features.windows import WINDOW, floor_window

START = datetime(2026, 9, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def told(*rows: dict[str, Any]) -> pl.DataFrame:
    """Make events; `at` is in minutes after the start."""
    kept = [{"kind": "lifecycle", "source": "s"} | row | {"ts": START + timedelta(minutes=row["at"])} for row in rows]
    for row in kept:
        del row["at"]
    return conform(pl.DataFrame(kept, infer_schema_length=None)).select(PLACEMENT_COLUMNS)


def named(events: pl.DataFrame, since: datetime = START, until: datetime = START + HOUR) -> list[tuple[str, int, str]]:
    found = hosts_of_windows(placements(events), since, until).rows()
    return [(workload, (start - START) // timedelta(minutes=1), host) for workload, start, host in found]


def test_a_container_is_on_its_host_from_its_first_sign_to_its_end() -> None:
    """A snapshot tells since when; the window of the end is the last one."""
    life = {"container_id": "c", "workload": "w", "host": "n1"}
    events = told(
        life | {"at": 25, "kind": "config", "action": "inspect", "valid_from": START + timedelta(minutes=15)},
        life | {"at": 40, "action": "die"},
        life | {"at": 41, "action": "destroy"},
    )

    assert named(events) == [("w", 10, "n1"), ("w", 20, "n1"), ("w", 30, "n1"), ("w", 40, "n1")]


def test_a_container_that_is_started_again_runs_on() -> None:
    """Between its end and its next start it counts as being there, as its address does."""
    life = {"container_id": "c", "workload": "w", "host": "n1"}

    assert (
        len(named(told(*(life | {"at": at, "action": a} for at, a in ((0, "start"), (5, "die"), (30, "start")))))) == 6
    )


def test_where_it_was_started_counts_more_than_who_told() -> None:
    """A pod that the API server tells of and the scheduler binds to a node runs on the node."""
    events = told(
        {"at": 0, "kind": "config", "action": "create", "container_id": "shop/api", "workload": "w", "host": "control"},
        {"at": 1, "action": "start", "container_id": "shop/api", "host": "node-7"},
        {"at": 1, "action": "start", "container_id": "nowhere", "workload": "v"},
    )

    assert named(events, until=START + WINDOW) == [("w", 0, "node-7")]


LIVES = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 90), st.none() | st.integers(0, 90)),
    max_size=8,
)


@given(lives=LIVES, first=st.integers(0, 5), count=st.integers(1, 6))
def test_windows_are_those_that_lives_overlap(
    lives: list[tuple[str, str, int, int | None]], first: int, count: int
) -> None:
    """Every window that a life overlaps names its host, each once and in order, and no other does."""
    since, until = START + first * WINDOW, START + (first + count) * WINDOW
    spans, rows = [], []
    for number, (workload, host, begun, lasted) in enumerate(lives):
        life = {"container_id": f"c{number}", "workload": workload, "host": host}
        rows.append(life | {"at": begun, "action": "start"})
        if lasted is not None:
            rows.append(life | {"at": begun + lasted, "action": "die"})
        end = None if lasted is None else START + timedelta(minutes=begun + lasted)
        spans.append((workload, host, START + timedelta(minutes=begun), end))
    if not rows:
        return

    found = hosts_of_windows(placements(told(*rows)), since, until).rows()

    windows = [since + number * WINDOW for number in range(count)]
    assert found == sorted(
        {
            (workload, start, host)
            for workload, host, begun, end in spans
            for start in windows
            if floor_window(begun) <= start and (end is None or start <= end)
        }
    )
