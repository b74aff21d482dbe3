"""Windows that are made bucket by bucket and kept are those of one process that holds whole days in memory."""

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import attributed, bucket_windows
from features.events import frame
from features.extraction import closed_until, extract_days
from features.lake import Lake
from features.windows import merge_windows
from service.jobs import holdings
from service.jobs.errors import JobError
from service.jobs.windows import extract_windows
from service.settings import Settings
from service.wiring import Home, open_home
from tests.estates import Estate
from tests.windows import same

START = datetime(2026, 9, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def home_of(folder: Path, lake: Path | None = None) -> Home:
    """Open a home whose windows are made in threads of this process; its lake may be a copy."""
    if lake is not None:
        shutil.copytree(lake, folder / "lake")
    return open_home(Settings.load(folder, {"WHARFINGER_EXECUTOR": "threads", "WHARFINGER_JOBS": "1"}))


def files(home: Home) -> dict[str, tuple[str, int]]:
    """Give digest and time of writing of each file of windows."""
    root = home.settings.home / "windows"
    paths = [path for path in root.glob("date=*/**/*") if path.is_file()]
    return {
        str(path.relative_to(root)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in paths
    }


def remade(before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]]) -> set[str]:
    """List the days of which a file was written."""
    return {name.partition("/")[0].removeprefix("date=") for name, what in after.items() if before.get(name) != what}


@pytest.mark.parametrize(
    ("events", "groups", "most"),
    [(50_000, 64, 5_000), (4_000, 64, 48_000), (4_000, 2, 2_000), pytest.param(900, 4, 300, marks=pytest.mark.slow)],
)
def test_buckets_make_no_difference(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: int, groups: int, most: int
) -> None:
    """One bucket or many, dealt at once or by groups, read whole or in spans: the windows are those of one process."""
    monkeypatch.setattr(bucket_windows, "MOST", most)
    monkeypatch.setattr(holdings, "EVENTS", events)
    monkeypatch.setattr(attributed, "GROUPS", groups)
    monkeypatch.setattr(holdings, "SLICE_BYTES", 100 * events)
    home = home_of(tmp_path, estate.lake.store.root)
    until = closed_until(estate.lake)
    assert until is not None

    store = extract_windows(home)
    whole = merge_windows(list(extract_days(estate.lake, START, until)))

    buckets = {(store.manifest(day) or {})["buckets"] for day in store.days()}
    assert (max(buckets) == 1) == (events == 50_000)
    assert same(whole, store.read(START, until))
    parts = [store.read(START, until, bucket=(index, 3)) for index in range(3)]
    assert same(whole, merge_windows(parts))
    assert all(0 < len(part.values) < len(whole.values) for part in parts)
    some = whole.values["workload"].unique().sort()[::5]
    assert same(store.read(START, until, workloads=some.to_list()), whole.of(some))


def test_a_second_run_does_nothing_and_late_events_redo_the_days_they_touch(estate: Estate, tmp_path: Path) -> None:
    """Files stay as they are while their inputs do; an event of a day redoes it, and the day that looks back on it."""
    home = home_of(tmp_path, estate.lake.store.root)
    extract_windows(home)
    first = files(home)
    extract_windows(home)
    second = files(home)
    late = {"ts": START + timedelta(hours=9), "event_id": 1, "kind": "flow", "src_ip": "10.9.9.9", "dst_ip": "10.9.9.8"}
    home.lake.append(frame([late | {"dst_port": 80, "proto": "tcp", "conn_state": "SF"}]))
    store = extract_windows(home)
    third = files(home)

    assert first == second
    assert remade(second, third) == {"2026-09-07", "2026-09-08"}
    until = closed_until(home.lake)
    assert until is not None
    assert same(merge_windows(list(extract_days(home.lake, START, until))), store.read(START, until))
    assert "ip:10.9.9.9" in store.read(START, START + DAY).values["workload"]


def test_a_new_day_leaves_the_old_ones(estate: Estate, tmp_path: Path) -> None:
    """What the last day adds, containers and addresses among it, redoes no day before it."""
    home = home_of(tmp_path)
    home.lake.append(estate.lake.read(until=estate.until))
    extract_windows(home)
    before = files(home)
    home.lake.append(estate.lake.read(since=estate.until))
    store = extract_windows(home)

    assert remade(before, files(home)) <= {f"{estate.until - DAY:%F}", f"{estate.until:%F}"}
    until = closed_until(estate.lake)
    assert until is not None
    assert same(merge_windows(list(extract_days(estate.lake, START, until))), store.read(START, until))


def test_a_day_whose_events_are_kept_no_longer_stands(estate: Estate, tmp_path: Path) -> None:
    """When the lake lets go of traffic, the windows made of it stay, and with them what looked back on it."""
    home = home_of(tmp_path, estate.lake.store.root)
    until = closed_until(home.lake)
    assert until is not None
    whole = extract_windows(home).read(START, until)
    home.lake.expire({"network": DAY}, START + 2 * DAY)

    assert same(whole, extract_windows(home).read(START, until))


def test_days_beyond_the_history_are_removed(estate: Estate, tmp_path: Path) -> None:
    """The store holds the history and no more; what is asked for is there all the same."""
    shutil.copytree(estate.lake.store.root, tmp_path / "lake")
    home = open_home(Settings.load(tmp_path, {"WHARFINGER_EXECUTOR": "threads", "WHARFINGER_HISTORY_DAYS": "1"}))

    assert extract_windows(home).days() == [date(2026, 9, 7), date(2026, 9, 8), date(2026, 9, 9)]
    assert extract_windows(home, since=START + 2 * DAY).days() == [date(2026, 9, 8), date(2026, 9, 9)]


def contents(home: Home) -> dict[str, str]:
    """Give the digest of each file of windows by day, bucket and table, whatever its key."""
    return {name.rpartition("-")[0]: digest for name, (digest, _) in files(home).items() if name.endswith(".parquet")}


def _snapshot(day: float, number: int, begun: float, **more: object) -> dict[str, object]:
    own = {"container_id": f"c{number}", "host": "n1", "workload": f"docker:shop/s{number}", "config": ["User=1"]}
    told = {"ts": START + day * DAY, "kind": "config", "valid_from": START + begun * DAY, "addresses": ["10.0.0.1"]}
    return own | told | more


def _life(day: float, number: int, action: str, **more: object) -> dict[str, object]:
    own = {"container_id": f"c{number}", "host": "n1", "action": action}
    return own | {"ts": START + day * DAY, "kind": "lifecycle"} | more


def _days_of_one_address() -> list[dict[str, object]]:
    call = {"kind": "flow", "src_ip": "10.0.0.1", "dst_ip": "203.0.113.7", "dst_port": 443, "conn_state": "SF"}
    calls = [call | {"ts": START + hour * timedelta(hours=1)} for hour in range(4 * 24)]
    first, other = [_snapshot(1.3, 1, 1.2), _life(1.4, 1, "rename")], _snapshot(2.5, 3, 2.4, addresses=["10.0.0.3"])
    return [*first, other, _life(0.4, 2, "start"), *calls]  # of the second nobody says whose it is


LATE = {
    "what an address was before is learnt": ([_snapshot(3.2, 4, 0.5)], {0, 1, 2, 3}),
    "an end of days ago comes late": ([_life(1.7, 1, "die")], {1, 2, 3}),
    "a container gets its name": ([_life(3.1, 2, "start", workload="docker:shop/s2")], {0, 1, 3}),
    "a container comes to an address that has a holder": ([_snapshot(2.2, 5, 2.1)], {2, 3}),
    "a container that nobody met is seen": ([_snapshot(3.3, 6, 0.2, addresses=["10.9.9.9"])], {3}),
}


@pytest.mark.parametrize(("late", "days"), LATE.values(), ids=LATE)
def test_what_is_learnt_late_redoes_the_days_that_it_changes(
    tmp_path: Path, late: list[dict[str, object]], days: set[int]
) -> None:
    """Who had an address or a name on earlier days is told later: windows are, byte for byte, those made anew."""
    home, anew = home_of(tmp_path / "nightly"), home_of(tmp_path / "anew")
    told = frame([row | {"event_id": number} for number, row in enumerate(_days_of_one_address(), 1)])
    last = frame([row | {"event_id": 1000 + number} for number, row in enumerate(late)])
    home.lake.append(told)
    extract_windows(home)
    before = files(home)
    home.lake.append(last)
    extract_windows(home)
    anew.lake.append(pl.concat([told, last]))
    extract_windows(anew)

    assert remade(before, files(home)) == {f"{START + number * DAY:%F}" for number in days}
    assert contents(home) == contents(anew)


@pytest.mark.parametrize("change", ["compacted", "deleted"])
def test_files_that_are_others_give_the_windows_of_what_they_hold(tmp_path: Path, change: str) -> None:
    """A compaction changes no window, and a file that is gone takes what only it told."""
    home, anew = home_of(tmp_path / "nightly"), home_of(tmp_path / "anew")
    told = frame([row | {"event_id": number} for number, row in enumerate(_days_of_one_address(), 1)])
    for part in (told[::2], told[1::2]):
        home.lake.append(part)
    extract_windows(home)
    if change == "compacted":
        home.lake.compact(START + 3 * DAY)
    else:
        gone = home.lake.files(START + DAY, START + 2 * DAY, ["config"])[0]
        home.lake.store.delete([gone.name])
    anew.lake.append(home.lake.read())
    extract_windows(home)
    extract_windows(anew)

    assert contents(home) == contents(anew)


def test_nobody_has_no_windows(tmp_path: Path) -> None:
    """Asked for no workloads, the store gives the tables of all, empty."""
    home = home_of(tmp_path)
    home.lake.append(frame([row | {"event_id": number} for number, row in enumerate(_days_of_one_address(), 1)]))
    store = extract_windows(home)
    every, none = (store.read(START, START + DAY, workloads=asked) for asked in (None, []))

    assert len(every.values)
    for name in ("values", "items", "facts"):
        assert getattr(none, name).equals(getattr(every, name).clear())
        assert getattr(none, name).schema == getattr(every, name).schema


def test_an_empty_lake_says_what_to_do(tmp_path: Path) -> None:
    """Without events there is nothing to extract."""
    with pytest.raises(JobError, match="wharfinger ingest"):
        extract_windows(home_of(tmp_path))


ADDRESSES = [f"10.0.0.{number}" for number in range(1, 5)] + ["203.0.113.7", "203.0.113.8"]
MOMENTS = st.integers(0, 2 * 24 * 60 - 1).map(lambda minute: START + timedelta(minutes=minute))


@st.composite
def rows(draw: Callable[..., object]) -> dict[str, object]:
    """A flow, a look-up, a TLS or HTTP session or a container's snapshot, among few ends, names and connections."""
    kind = draw(st.sampled_from(["flow", "flow", "flow", "dns", "tls", "http", "config"]))
    names = st.sampled_from(["a.example", "b.example", "c.other.example"])
    row = {"ts": draw(MOMENTS), "kind": kind}
    if kind == "config":
        number = draw(st.integers(1, 4))
        own = {"container_id": f"c{number}", "workload": f"docker:shop/s{number}", "host": "n1"}
        return row | own | {"addresses": [f"10.0.0.{number}"], "valid_from": START - DAY, "config": ["User=1"]}
    ends = {"src_ip": draw(st.sampled_from(ADDRESSES)), "dst_ip": draw(st.sampled_from(ADDRESSES))}
    row |= ends | {"uid": draw(st.sampled_from(["C1", "C2", "C3", None])), "dst_port": 443, "proto": "tcp"}
    if kind == "flow":
        state = draw(st.sampled_from(["SF", "S0", None]))
        return row | {"bytes_out": draw(st.integers(0, 9999)), "bytes_in": 10, "duration": 0.5, "conn_state": state}
    if kind == "dns":
        return row | {
            "query": draw(names),
            "qtype": "A",
            "rcode": "NOERROR",
            "answers": [draw(st.sampled_from(ADDRESSES))],
        }
    return row | {"server_name": draw(names), "established": True, "method": "GET", "uri": "/", "user_agent": "x/1"}


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(rows(), min_size=2, max_size=40), count=st.sampled_from([5, 12]), most=st.sampled_from([1, 4, 100])
)
def test_any_few_events_give_the_same_windows(
    monkeypatch: pytest.MonkeyPatch, events: list[dict[str, object]], count: int, most: int
) -> None:
    """Whoever answered, called or was called in whichever bucket, on whichever day, however many spans a day is worked
    on in: the windows are the same.
    """
    monkeypatch.setattr(holdings, "EVENTS", count)
    monkeypatch.setattr(bucket_windows, "MOST", most)
    with TemporaryDirectory() as folder:
        home = home_of(Path(folder))
        table = frame([row | {"event_id": number} for number, row in enumerate(events, 1)])
        for part in (table[::2], table[1::2]):
            home.lake.append(part)
        until = closed_until(home.lake)
        assert until is not None
        store = extract_windows(home)
        whole = merge_windows(list(extract_days(Lake(Path(folder) / "lake"), START, until)))
        assert same(whole, store.read(START, until))


def test_what_is_unattributed_still_answers_for_others(tmp_path: Path) -> None:
    """A name that somebody unknown looked up names the destination of a workload in any bucket."""
    ask = {"ts": START, "kind": "dns", "src_ip": "198.51.100.1", "query": "x.site.example", "answers": ["203.0.113.7"]}
    call = {"kind": "flow", "src_ip": "10.0.0.1", "dst_ip": "203.0.113.7", "dst_port": 443, "proto": "tcp"}
    later = [call | {"ts": START + timedelta(hours=hour), "event_id": 1 + hour, "conn_state": "SF"} for hour in (1, 2)]
    home = home_of(tmp_path)
    home.lake.append(frame([ask | {"event_id": 1}, *later]))

    items = extract_windows(home).read(START, START + DAY).items

    met = items.filter(pl.col("feature") == "network.new_destination")
    assert met["item"].to_list() == ["site.example"]
