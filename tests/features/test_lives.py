"""The lives of containers are kept up to date by what is new, and are what all events say at once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.classes import SYSTEM
from features.events import frame
from features.extraction import CONTROL_COLUMNS, extract_days
from features.lake import Lake
from features.lake_files import listed
from features.leases import LEASE_KINDS, build_leases
from features.lives import Lives
from features.placements import placements
from features.rollouts import LIFE_KINDS, standing
from tests.counted_files import CountedFiles

START = datetime(2026, 9, 14, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

acts = st.sampled_from(["create", "start", "inspect", "die", "destroy", "pull", "registry_pull"])
hours = st.sampled_from([0, 1, 23, 24, 25, 60, 71])
told = st.tuples(acts, st.integers(0, 3), hours, st.integers(0, 2), st.integers(0, 2))


def events(rows: list[tuple[str, int, int, int, int]]) -> pl.DataFrame:
    """Make events of what is done to four containers, their images and two hosts, over three days."""
    made = []
    for number, (action, container, hour, host, address) in enumerate(rows):
        kind = {"inspect": "config", "pull": "pull", "registry_pull": "image"}.get(action, "lifecycle")
        row = {
            "ts": START + hour * HOUR + timedelta(seconds=number % 50),
            "event_id": number,
            "source": "s",
            "kind": kind,
            "action": action,
            "image_repository": f"shop/{container % 2}",
            "image_tag": "1",
        }
        if kind in LIFE_KINDS:
            row |= {"container_id": f"c{container}", "workload": f"w{container // 2}", "host": f"h{host}"}
        if kind == "config":
            row |= {"config": [f"Healthcheck=h{host}", f"User={address}"], "addresses": [f"10.0.0.{address}"]}
            row |= {"valid_from": row["ts"] - HOUR * host}
        if action in {"pull", "registry_pull"}:
            row |= {"host": f"h{host}"} if action == "pull" else {"src_ip": f"10.0.1.{host}"}
        made.append(row)
    return frame(made)


def assert_as_at_once(lives: Lives, lake: Lake, until: datetime) -> None:
    """Hold what is kept against what all events before `until` say."""
    whole = build_leases(lake.read(until=until, kinds=LEASE_KINDS))
    life = lake.read(until=until, kinds=LIFE_KINDS)
    found = lives.renew().leases(until)

    assert_frame_equal(found.containers, whole.containers, check_row_order=False)
    assert_frame_equal(found.addresses, whole.addresses)
    assert_frame_equal(found.runs, whole.runs, check_row_order=False)
    assert_frame_equal(found.machines, whole.machines)
    assert_frame_equal(lives.placements(until), placements(life), check_row_order=False)
    assert_frame_equal(
        lives.standing(until, CONTROL_COLUMNS), standing(life).select(CONTROL_COLUMNS), check_row_order=False
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(told, min_size=1, max_size=40),
    st.permutations(range(40)),
    st.lists(st.tuples(st.sampled_from(["add", "compact", "expire"]), st.integers(-1, 73)), max_size=8),
)
def test_they_are_what_all_events_say_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, int, int, int]],
    order: list[int],
    steps: list[tuple[str, int]],
) -> None:
    """Events come in any order, files are merged and expire, and any time is asked for: nothing is told apart."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    every, lives = events(rows), Lives(lake)
    chosen = [every[[n]] for n in order if n < len(every)]
    parts = [pl.concat(chosen[at : at + 10]) for at in range(0, len(chosen), 10)]
    for step, hour in [("add", 73), *steps]:
        if step == "add" and parts:
            lake.append(parts.pop())
        elif step == "compact":
            lake.compact(START + 9 * DAY)
        elif step == "expire":
            lake.expire({SYSTEM: DAY}, START + hour * HOUR)
        assert_as_at_once(lives, lake, START + hour * HOUR)


def test_a_file_that_somebody_took_away_tells_nothing_more(tmp_path: Path) -> None:
    """What only a file said that is gone is forgotten, also where others of its day are left."""
    lake = Lake(tmp_path)
    for number in range(3):
        lake.append(
            events([("inspect", number, 3 + number, 0, number)]).with_columns(event_id=pl.lit(number, pl.UInt64))
        )
    lives = Lives(lake)
    assert len(lives.renew().leases().containers) == 3

    lake.store.delete([listed(lake.store)[1].name])

    assert lives.renew().leases().containers["container_id"].sort().to_list() == ["c0", "c2"]
    assert_as_at_once(lives, lake, START + DAY)


def test_what_a_reading_opens_does_not_grow_with_the_lake(tmp_path: Path) -> None:
    """Of a lake of many days only files of the day at work, and of the day before it, are opened again."""
    store = CountedFiles(tmp_path)
    lake, lives = Lake(store), Lives(Lake(store))
    for day in range(12):
        for hour in (2, 12, 22):
            at = events([("create", 0, 0, 0, 0), ("inspect", 1, 1, 0, 1), ("die", 2, 1, 0, 1)])
            ids = pl.col("event_id") + 100 * day + hour
            lake.append(at.with_columns(pl.col("ts") + day * DAY + hour * HOUR, ids))
    last = START + 11 * DAY
    list(extract_days(lake, last, last + 3 * HOUR, lives=lives))
    assert min(store.days()) == START.date()

    lake.append(events([("start", 3, 0, 0, 0)]).with_columns(pl.col("ts") + 11 * DAY, pl.col("event_id") + 5000))
    store.days()
    list(extract_days(lake, last, last + 4 * HOUR, lives=lives))

    assert store.days() <= {last.date(), (last - DAY).date()}


def test_merged_files_tell_nothing_new(tmp_path: Path) -> None:
    """A compaction has files of its day read once more, and nothing worked out again."""
    lake = Lake(tmp_path)
    lake.append(events([("inspect", 0, 3, 0, 0)]))
    lake.append(events([("inspect", 1, 5, 0, 1), ("inspect", 1, 4, 0, 1)])[1:])
    lives = Lives(lake)
    before = lives.renew().placements(START + DAY)

    lake.compact(START + 2 * DAY)

    assert lives.renew().placements(START + DAY) is before
