import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.ingest import IngestError
from service.jobs import lake
from service.jobs.ingest import UNRECOGNISED, ingest
from service.settings import Settings
from service.wiring import Home, open_home

EVENT = {"Type": "image", "Action": "pull", "Actor": {"ID": "registry.example/x:1", "Attributes": {}}, "host": "n1"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(Settings.load(tmp_path / "home", {}))


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def pulls(*seconds: int) -> list[str]:
    return [json.dumps(EVENT | {"time": second, "timeNano": second * 10**9}) for second in seconds]


def test_counts_per_source(home: Home, tmp_path: Path) -> None:
    """Each source's new events, known events and unreadable lines are counted apart."""
    once = ingest(home, [write(tmp_path / "a", *pulls(1_790_000_000, 1_790_000_060))])
    again = ingest(home, [write(tmp_path / "b", *pulls(1_790_000_060, 1_790_000_120))])

    assert (once.accepted, once.duplicate) == ({"docker_events": 2}, {})
    assert (again.accepted, again.duplicate) == ({"docker_events": 1}, {"docker_events": 1})
    assert again.sources == ["docker_events"]
    assert home.lake.counts()["docker_events"] == 3


def test_bad_lines_are_set_aside_with_their_place(home: Home, tmp_path: Path) -> None:
    """A line that cannot be read stands in the dead-letter file with file, line, reason and text; the rest goes on."""
    path = write(tmp_path / "mixed", pulls(1_790_000_000)[0], "this is not telemetry", pulls(1_790_000_060)[0])

    report = ingest(home, [path])

    assert report.accepted.total() == 2
    assert report.rejected.total() == 1
    assert report.reject_file is not None
    (letter,) = [json.loads(line) for line in report.reject_file.read_text().splitlines()]
    assert (str(path), 2) == (letter["file"], letter["line"])
    assert letter["reason"]
    assert "this is not telemetry" in letter["text"]


def test_junk_alone_is_not_useful(home: Home, tmp_path: Path) -> None:
    """An input of which nothing was understood is no success; the same good input twice is."""
    junk = ingest(home, [write(tmp_path / "junk", "this is not telemetry")])
    good = write(tmp_path / "good", *pulls(1_790_000_000))

    assert not junk.useful
    assert junk.rejected == {UNRECOGNISED: 1}
    assert ingest(home, [good]).useful
    assert ingest(home, [good]).useful


def test_progress_reaches_the_end(home: Home, tmp_path: Path) -> None:
    """Progress never falls, stays within 0 and 1, and ends at 1."""
    told: list[float] = []

    ingest(
        home,
        [write(tmp_path / "a", *pulls(*range(1_790_000_000, 1_790_000_050)))],
        progress=lambda _, x: told.append(x),
    )

    assert sorted(told) == told
    assert told[-1] == 1.0


def test_missing_path_is_one_clear_error(home: Home, tmp_path: Path) -> None:
    """A path that does not exist is named, and nothing is read."""
    with pytest.raises(IngestError, match="nowhere"):
        ingest(home, [tmp_path / "nowhere"])


def flow(day: float) -> str:
    ends = {"id.orig_h": "10.0.0.1", "id.orig_p": 1, "id.resp_h": "10.0.0.2", "id.resp_p": 2, "proto": "tcp"}
    return json.dumps({"ts": day * 86_400 + 5, "uid": f"C{day}", **ends, "conn_state": "SF"}) + "\n"


@pytest.mark.parametrize(("days", "kept"), [(0, 5), (1, 2), (3, 4)])
def test_traffic_is_kept_for_as_long_as_the_settings_say(days: int, kept: int, tmp_path: Path) -> None:
    """Whole days that are over for longer go, counted from the lake's latest event; without a span all stay."""
    path = tmp_path / "conn.log"
    path.write_text("".join(flow(day) for day in range(20_000, 20_005)))
    home = open_home(Settings(home=tmp_path / "home", keep_network_days=days))

    ingest(home, [path])

    assert home.lake.read().height == kept


def test_clock_that_runs_ahead_expires_nothing(tmp_path: Path) -> None:
    """One event dated decades ahead does not empty the lake: the clock of this machine counts then."""
    path = tmp_path / "conn.log"
    today = datetime.now(UTC).timestamp() // 86_400
    path.write_text(flow(int(today)) + flow(40_000))
    home = open_home(Settings(home=tmp_path / "home", keep_network_days=1))

    ingest(home, [path])

    assert home.lake.read().height == 2


def test_days_of_many_files_are_compacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that is over and whose files are many becomes few files with the next ingest; the latest day is left."""
    monkeypatch.setattr(lake, "MOST_SMALL_FILES", 2)
    home = open_home(Settings(home=tmp_path / "home"))

    for number, line in enumerate([flow(20_000), flow(20_000.1), flow(20_000.2), flow(20_001), flow(20_001.1)]):
        path = tmp_path / f"conn-{number}.log"
        path.write_text(line)
        ingest(home, [path])

    assert [(held.files, held.events) for held in home.lake.holdings()] == [(1, 3), (2, 2)]
