import json
import multiprocessing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from models.errors import ArtefactError
from service.jobs.errors import JobError
from service.jobs.gates import gates
from service.jobs.locks import only_one
from service.jobs.refresh import refresh
from service.jobs.score import score, score_records
from service.settings import Settings
from service.wiring import Home, champion, open_home
from tests.homes import copy_home
from tests.service.conftest import SPLIT

REPORT = {"workloads": 9, "held_out_windows": 900, "injected_found": 0.8}
CALIBRATIONS = {"final": {"slope": 1.5, "cohorts": {"a": [0.1, 2.0]}}}
TEN = timedelta(minutes=10)


class Fleet(Protocol):
    """What the fixture `fleet` gives."""

    settings: Settings
    home: Home
    version: str


def failed(report: dict[str, Any], calibrations: dict[str, Any]) -> list[str]:
    return [gate.name for gate in gates(report, calibrations) if not gate.passed]


@pytest.mark.parametrize(
    ("report", "calibrations", "expected"),
    [
        (REPORT, CALIBRATIONS, []),
        (REPORT | {"workloads": 1}, CALIBRATIONS, ["workloads learnt"]),
        (REPORT | {"held_out_windows": 10}, CALIBRATIONS, ["windows held out"]),
        (REPORT | {"injected_found": 0.0}, CALIBRATIONS, ["injected anomalies found"]),
        (REPORT, {"final": {"slope": float("nan")}}, ["calibration"]),
        (REPORT, {}, ["calibration"]),
    ],
)
def test_gates_name_what_fails(report: dict[str, Any], calibrations: dict[str, Any], expected: list[str]) -> None:
    """A model is promoted only if every gate passes, and each failure is named."""
    assert expected == failed(report, calibrations)


def _hold(path: Path, held: Event, done: Event) -> None:
    with only_one(path, "refresh"):
        held.set()
        done.wait(60)


def test_second_job_is_refused_while_one_holds_the_lock(tmp_path: Path) -> None:
    """Two of a kind never run at once: the second is refused, naming the first, and may run after it."""
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    first = context.Process(target=_hold, args=(tmp_path / "lock", held, done))
    first.start()
    assert held.wait(60)

    with (
        pytest.raises(JobError, match=rf"another refresh is at work, process {first.pid} "),
        only_one(tmp_path / "lock", "refresh"),
    ):
        pytest.fail("the lock was taken twice")
    done.set()
    first.join(60)
    with only_one(tmp_path / "lock", "refresh"):
        pass


def test_empty_home_says_what_to_do_first(tmp_path: Path) -> None:
    """Without telemetry a refresh says to ingest; without a model a scoring says to refresh."""
    home = open_home(Settings.load(tmp_path / "home", {}))

    with pytest.raises(JobError, match="wharfinger ingest"):
        refresh(home)
    with pytest.raises(JobError, match="wharfinger refresh"):
        score(home)


def test_span_before_the_first_event_is_refused(fleet: Fleet) -> None:
    """A refresh of a span without telemetry names the time of the first event."""
    with pytest.raises(JobError, match="first event is of 2026-09-10T00"):
        refresh(fleet.home, until=datetime(2020, 1, 1, tzinfo=UTC))


def test_scores_are_of_closed_windows_only(fleet: Fleet) -> None:
    """No window is scored whose end lies after the lake's last event."""
    last = fleet.home.lake.span()[1]

    scores = score(fleet.home)

    ends = [datetime.fromisoformat(one.window_end) for one in scores]
    assert max(ends) <= last < max(ends) + TEN
    assert sorted(scores, key=lambda one: (one.window_start, one.workload)) == scores


def test_bounds_snap_to_windows_and_change_no_score(fleet: Fleet) -> None:
    """A span that begins and ends inside windows has these windows whole, scored as a full run scores them."""
    since = datetime(2026, 9, 13, 1, 4, tzinfo=UTC)
    until = datetime(2026, 9, 13, 2, 1, tzinfo=UTC)

    part = score(fleet.home, since=since, until=until)

    assert part[0].window_start == "2026-09-13T01:00:00Z"
    assert part[-1].window_start == "2026-09-13T02:00:00Z"
    whole = [s for s in score(fleet.home) if "2026-09-13T01:00" <= s.window_start < "2026-09-13T02:10"]
    assert whole == part


def test_scores_are_stored(fleet: Fleet) -> None:
    """What a scoring returns can be read from the store afterwards, unchanged."""
    strongest = max(score(fleet.home), key=lambda one: one.bits)

    stored = fleet.home.store.get(strongest.workload, datetime.fromisoformat(strongest.window_start))
    assert stored is not None
    assert strongest == msgspec.structs.replace(stored, revision=0)  # others may have had it scored otherwise before


def test_scores_are_kept_for_as_long_as_the_settings_say(fleet: Fleet, tmp_path: Path) -> None:
    """Older scores are given but not stored, those stored before go, and a refresh lets go of them too."""
    copy_home(fleet.settings.home, tmp_path / "home")
    everything = open_home(Settings.load(tmp_path / "home", {}))
    score(everything)
    brief = open_home(Settings.load(tmp_path / "home", {"WHARFINGER_KEEP_SCORES_DAYS": "1"}))
    oldest = fleet.home.lake.span()[1] - timedelta(days=1)

    starts = {datetime.fromisoformat(one.window_start) for one in score(brief)}

    kept = min(start for start in starts if start >= oldest)
    assert min(starts) < oldest
    assert brief.store.span()[0] == kept
    score(everything)
    refresh(brief, until=SPLIT)
    assert brief.store.span()[0] == kept


def test_records_are_scored_without_being_stored(fleet: Fleet) -> None:
    """Raw records get scores at once, what is unreadable is told by its number, lake and store stay as they are."""
    detector = champion(fleet.home)
    assert detector is not None
    before = fleet.home.lake.counts()
    pull = {
        "Type": "image",
        "Action": "pull",
        "Actor": {"ID": "registry.example/x:1", "Attributes": {}},
        "time": 1_790_000_000,
    }

    scores, refused = score_records(detector, [pull, {"no": "telemetry"}], host="n9", settings=fleet.settings)

    assert [(one.workload, one.window_start) for one in scores] == [("host:n9", "2026-09-21T14:10:00Z")]
    assert [number for number, _ in refused] == [1]
    assert before == fleet.home.lake.counts()
    assert fleet.home.store.get("host:n9", datetime(2026, 9, 21, 14, 10, tzinfo=UTC)) is None


def test_order_of_input_does_not_matter(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> None:
    """The same records, split into files another way and read in another order, give the same lake."""
    from service.jobs.ingest import ingest  # noqa: PLC0415 -- beside its one use

    lines = next(fleet.settings.home.parent.glob("*.ndjson")).read_text().splitlines()
    for number in range(5):
        (tmp_path / f"{number}.ndjson").write_text("\n".join(reversed(lines[number::5])) + "\n")
    home = open_home(Settings.load(tmp_path_factory.mktemp("other") / "home", {}))
    ingest(home, [tmp_path / f"{number}.ndjson" for number in (3, 0, 4, 1, 2)])

    columns = ["event_id", "ts", "kind", "src_ip", "dst_ip", "bytes_out"]
    assert fleet.home.lake.read(columns=columns).equals(home.lake.read(columns=columns))
    assert json.dumps(fleet.home.lake.counts()) == json.dumps(home.lake.counts())


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["made for other features", "changed after signing"])
def test_a_champion_that_cannot_serve_does_not_keep_a_refresh_from_making_one(
    tmp_path: Path, fleet: Fleet, damage: str
) -> None:
    """After an upgrade, or when its files were changed, the old champion is refused and a refresh replaces it."""
    copy_home(fleet.settings.home, tmp_path / "home")
    home = open_home(Settings.load(tmp_path / "home", {}))
    old = home.registry.load(fleet.version)
    if damage == "made for other features":
        other = replace(old, manifest=old.manifest | {"features": ["of.before"]})
        home.registry.promote(home.registry.save(other, created_at=datetime.now(UTC)))
    else:
        (home.settings.home / "models" / fleet.version / "items.parquet").write_bytes(b"not what was signed")
    with pytest.raises(ArtefactError):
        champion(home)

    report = refresh(home, until=SPLIT)

    home.registry.promote(report.version)
    assert champion(home) is not None
