from datetime import UTC, datetime, timedelta

import polars as pl

from features.events import frame
from features.extraction import extract
from features.leases import attribute, build_leases
from features.silence import lost, silences
from features.windows import WINDOW

START = datetime(2026, 9, 7, tzinfo=UTC)


def spoken(*numbers: int, workload: str = "docker:shop/agent") -> pl.DataFrame:
    rows = [{"workload": workload, "window_start": START + number * WINDOW} for number in numbers]
    return pl.DataFrame(rows).with_columns(pl.col("window_start").dt.cast_time_unit("us"))


def told(frame: pl.DataFrame) -> list[tuple[int, str]]:
    return [(int((start - START) / WINDOW), item) for start, item in frame.select("window_start", "item").iter_rows()]


def test_silence_is_told_at_each_length_in_the_window_that_completes_it() -> None:
    clock = spoken(*range(200), workload="docker:shop/other")

    found = silences(pl.concat([spoken(*range(100)), clock])).filter(pl.col("workload") == "docker:shop/agent")

    assert told(found) == [(101, "20 minutes"), (105, "an hour"), (117, "three hours")]


def test_silence_that_ends_is_told_only_as_far_as_it_came() -> None:
    found = silences(spoken(*range(100), *range(108, 200)))

    assert [silence for silence in told(found) if silence[0] < 200] == [(101, "20 minutes"), (105, "an hour")]


def test_who_speaks_now_and_then_is_never_silent() -> None:
    assert silences(spoken(*range(0, 400, 3))).is_empty()


def test_who_has_just_begun_to_speak_is_not_steady_yet() -> None:
    clock = spoken(*range(100), workload="docker:shop/other")

    found = silences(pl.concat([spoken(*range(20)), clock]))

    assert found.filter(pl.col("workload") == "docker:shop/agent").is_empty()


def life(*acts: tuple[float, str, str]) -> pl.DataFrame:
    rows = [
        {
            "ts": START + timedelta(minutes=minute),
            "workload": "docker:log-shipper",
            "host": host,
            "container_id": f"c{number}",
            "action": action,
        }
        for number, (minute, host, action) in enumerate(acts)
    ]
    return pl.DataFrame(rows).with_columns(pl.col("ts").dt.cast_time_unit("us"))


def test_container_without_successor_on_its_host_is_lost_once_its_time_is_out() -> None:
    found = lost(life((3, "h1", "die"), (5, "h2", "start")))

    assert found["window_start"].to_list() == [START + WINDOW]


def test_container_that_is_replaced_in_time_is_not_lost() -> None:
    assert lost(life((3, "h1", "die"), (12, "h1", "start"), (60, "h1", "start"))).is_empty()


def test_container_of_an_engine_without_a_name_is_replaced_there() -> None:
    """Where no record names its host, ends and starts meet all the same."""
    acts = life((3, "h1", "die"), (12, "h1", "start")).with_columns(pl.lit(None, pl.String).alias("host"))

    assert lost(acts).is_empty()


def test_frozen_container_is_lost() -> None:
    assert len(lost(life((3, "h1", "pause"), (60, "h1", "start")))) == 1


def test_windows_that_have_not_come_yet_are_not_extracted() -> None:
    shown = [{"kind": "lifecycle", "source": "docker_events", **act} for act in life((3, "h1", "die")).to_dicts()]

    assert "control.lost" not in extract(attribute(frame(shown), build_leases(frame(shown)))).items["feature"].to_list()
