from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from features.addresses import is_internal
from features.extraction import TRAFFIC
from features.lake import Lake
from service.validation.blindness import UNSPOILT, conditions
from service.validation.trial import Trial
from service.validation.visibility import CONDITIONS, SNAPSHOTS, Seen, Sensors, seen_through
from tests.estates import Estate

pytestmark = pytest.mark.slow

BY_NAME = {sensors.name: sensors for sensors in CONDITIONS}
traffic = pl.col("kind").is_in(TRAFFIC)


@pytest.fixture(scope="module")
def seen(estate: Estate) -> Seen:
    return Seen.of(estate.lake)


@pytest.fixture(scope="module")
def whole(estate: Estate) -> pl.DataFrame:
    return estate.lake.read()


def through(name: str, estate: Estate, seen: Seen, folder: Path) -> pl.DataFrame:
    worse = Lake(folder / "worse")
    seen_through(estate.lake, BY_NAME[name], worse, seen)
    return worse.read()


def test_encryption_hides_names_and_leaves_sizes_and_other_sources(
    estate: Estate, seen: Seen, whole: pl.DataFrame, tmp_path: Path
) -> None:
    events = through("encrypted", estate, seen, tmp_path)

    hidden = events.filter(traffic).select("server_name", "ja3", "ja4", "alpn", "uri", "user_agent", "query")
    assert hidden.null_count().row(0) == (len(hidden),) * 7
    assert "http" not in events["kind"].unique()
    sent = [frame.filter(pl.col("kind") == "flow")["bytes_out"].sum() for frame in (events, whole)]
    assert sent[0] == sent[1] > 0
    assert events.filter(~traffic).equals(whole.filter(~traffic))


def test_air_gapped_keeps_what_stays_inside(estate: Estate, seen: Seen, whole: pl.DataFrame, tmp_path: Path) -> None:
    events = through("air-gapped", estate, seen, tmp_path)

    flows = events.filter(pl.col("kind") == "flow")
    assert 0 < len(flows) < len(whole.filter(pl.col("kind") == "flow"))
    assert all(is_internal(address) for address in flows["dst_ip"].drop_nulls().unique())
    assert "dns" not in events["kind"].unique()


@pytest.mark.parametrize(("name", "share"), [("1 % lost", 0.01), ("10 % lost", 0.1)])
def test_the_stated_share_is_lost_of_every_kind(
    estate: Estate, seen: Seen, whole: pl.DataFrame, tmp_path: Path, name: str, share: float
) -> None:
    events = through(name, estate, seen, tmp_path)

    assert 1 - len(events) / len(whole) == pytest.approx(share, rel=0.15)
    flows = [frame.filter(pl.col("kind") == "flow").height for frame in (events, whole)]
    assert 1 - flows[0] / flows[1] == pytest.approx(share, rel=0.3)


def test_clocks_of_half_of_the_hosts_run_ahead(estate: Estate, seen: Seen, whole: pl.DataFrame, tmp_path: Path) -> None:
    events = through("clocks 60 s off", estate, seen, tmp_path)

    moved = whole.join(events.select("event_id", pl.col("ts").alias("now")), on="event_id").with_columns(
        (pl.col("now") - pl.col("ts")).alias("by")
    )
    assert len(moved) == len(whole)
    assert moved["host"].is_in(seen.hosts[::2]).any()
    for host, by in moved.select("host", "by").unique().iter_rows():
        assert by == timedelta(seconds=60 if host in seen.hosts[::2] else 0), host


@pytest.mark.parametrize(("name", "seconds"), [("polled 30 s", 30), ("polled 5 min", 300)])
def test_a_poller_sees_who_lives_when_it_looks(
    estate: Estate, seen: Seen, whole: pl.DataFrame, tmp_path: Path, name: str, seconds: int
) -> None:
    snapshots = through(name, estate, seen, tmp_path).filter(pl.col("source") == SNAPSHOTS)
    before = whole.filter(pl.col("source") == SNAPSHOTS)

    assert (snapshots["ts"].dt.epoch("s") % seconds == 0).all()
    lived = before.join(seen.deaths, on="container_id", how="left").with_columns(
        (pl.col("death") - pl.col("ts")).alias("left")
    )
    brief = lived.filter(pl.col("left") <= timedelta(0))["event_id"]
    long = lived.filter(pl.col("left").is_null() | (pl.col("left") > timedelta(seconds=seconds)))["event_id"]
    assert set(long) <= set(snapshots["event_id"]) <= set(before["event_id"]) - set(brief)
    assert len(snapshots) < len(before)


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("no snapshots", ("source", {"docker_inspect"})),
        ("no engine events", ("source", {"docker_events"})),
        ("no Kubernetes audit", ("source", {"kubernetes_audit"})),
        ("no DNS", ("kind", {"dns"})),
        ("no network logs", ("kind", set(TRAFFIC))),
    ],
)
def test_a_missing_sensor_takes_its_records_and_no_others(
    estate: Estate, seen: Seen, whole: pl.DataFrame, tmp_path: Path, name: str, gone: tuple[str, set[str]]
) -> None:
    events = through(name, estate, seen, tmp_path)

    column, values = gone
    assert values & set(whole[column])
    assert events.equals(whole.filter(~pl.col(column).is_in(sorted(values))))


def test_behind_hosts_no_container_speaks_for_itself(
    estate: Estate, seen: Seen, whole: pl.DataFrame, tmp_path: Path
) -> None:
    """What has no lease stays; what has one shows an address of its host."""
    events = through("behind hosts", estate, seen, tmp_path)

    sources = set(events.filter(traffic)["src_ip"].drop_nulls())
    shown = {address for address in sources if address.startswith("10.254.")}
    assert len(events) == len(whole)
    assert 0 < len(shown) <= len(seen.hosts)
    assert len(sources) < len(set(whole.filter(traffic)["src_ip"].drop_nulls()))
    assert events.filter(~traffic).equals(whole.filter(~traffic))


@pytest.mark.slow
def test_conditions_tell_what_is_lost_and_leave_nothing_behind(real: Trial, real_lake: Lake, tmp_path: Path) -> None:
    nothing = Sensors("none at all", "no sensor works", lambda events, _: events.clear())

    full, deaf, dark = conditions(real_lake, real, tmp_path, budget=1.0, chosen=(BY_NAME["no network logs"], nothing))

    assert (full.name, full.lost, full.gained) == (UNSPOILT, (), ())
    assert full.caught > 0
    assert deaf.windows < full.windows
    assert any(name.startswith("N") for name in deaf.lost)
    assert (dark.caught, len(dark.lost) > 0, "empty" in dark.failed) == (0, True, True)
    assert not list(tmp_path.iterdir())
