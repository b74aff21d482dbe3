"""The detector end to end on a simulated estate: repeatable, explained, calibrated, and stored whole."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.extraction import closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.protocols import FAMILIES, specs
from features.windows import WINDOW, Windows, merge_windows
from models.detector import Detector
from models.incidents import alerts
from models.registry import Registry
from models.rolling import SPAN
from models.scores import SEVERITIES, Score
from models.training import TrainingError, train
from service.emulation.labels import read_labels
from service.emulation.splits import Purpose
from tests.estates import Estate


def score(detector: Detector, lake: Lake, since: datetime) -> list[Score]:
    until = closed_until(lake)
    assert until is not None
    return detector.score(merge_windows(list(extract_days(lake, since, until))))


@pytest.fixture(scope="module")
def scores(detector: Detector, estate: Estate) -> list[Score]:
    return score(detector, estate.lake, estate.until)


def strip(found: list[Score]) -> list[bytes]:
    return [msgspec.json.encode(msgspec.structs.replace(one, model="")) for one in found]


def test_a_score_is_one_number_said_three_ways(scores: list[Score]) -> None:
    """Score, bits and p-value agree, evidence names every family, and severities follow bits."""
    for one in scores:
        assert one.bits >= 0
        assert one.score == pytest.approx(one.bits / (one.bits + 10))
        assert one.p_value == pytest.approx(2**-one.bits)
        assert one.evidence.keys() == set(FAMILIES)
    ranks = [SEVERITIES.index(one.severity) for one in sorted(scores, key=lambda one: one.bits)]
    assert ranks == sorted(ranks)


def test_the_strongest_workloads_do_not_tie(scores: list[Score]) -> None:
    """Bits do not saturate: the ten strangest workloads can be told apart."""
    strongest = {one.workload: one.bits for one in sorted(scores, key=lambda one: one.bits)}

    assert len(set(sorted(strongest.values(), reverse=True)[:10])) > 5


def test_most_attacks_are_among_the_strongest_alerts(scores: list[Score], estate: Estate) -> None:
    """Four of the six attacks are on workloads that the fifteen strongest alerts name."""
    attacks = read_labels(estate.folder, Purpose.TUNING).attacks
    named = {alert.workload for alert in alerts(scores, at_least="low")[:15]}

    caught = [attack.id for attack in attacks if named & set(attack.workloads)]

    assert len(attacks) == 6
    assert len(caught) >= 4


def test_a_strange_window_says_why(scores: list[Score]) -> None:
    """From `medium` up a window has reasons, strongest first, with words, a technique and what was expected."""
    strange = [one for one in scores if SEVERITIES.index(one.severity) >= SEVERITIES.index("medium")]

    assert strange
    for one in strange:
        assert one.reasons
        assert [r.bits for r in one.reasons] == sorted((r.bits for r in one.reasons), reverse=True)
        for reason in one.reasons:
            assert reason.feature in specs()
            assert reason.value
            assert reason.expected
            assert "{" not in reason.text
            assert reason.technique.startswith("T1")


def test_a_reason_says_whose_history_it_stands_on(scores: list[Score]) -> None:
    """Every reason names its level of back-off; only a workload's own history is mature, and is nearly always used."""
    reasons = [reason for one in scores for reason in one.reasons]

    assert {reason.level for reason in reasons} <= {"workload", "image", "cohort", "fleet"}
    assert all(reason.maturity is not None and 0 <= reason.maturity < 1 for reason in reasons)
    assert all((reason.maturity == 0) == (reason.level != "workload") for reason in reasons)
    assert len({reason.level for reason in reasons}) > 1


def test_a_strange_window_says_what_would_have_been_ordinary(scores: list[Score], detector: Detector) -> None:
    """Counterfactuals stay below the severity, with fewer bits than the window, and name reasons of it."""
    strange = [one for one in scores if SEVERITIES.index(one.severity) >= SEVERITIES.index("medium")]
    told = [one for one in strange if one.counterfactual]

    assert len(told) > len(strange) / 2
    for one in told:
        less = one.counterfactual
        assert less is not None
        assert less.bits < min(detector.channels.thresholds[one.severity], detector.channels.thresholds["high"])
        assert less.score == pytest.approx(less.bits / (less.bits + 10))
        assert set(less.without) <= {reason.feature for reason in one.reasons}
        assert all(feature in less.text for feature in less.without)


def test_a_window_without_what_a_counterfactual_names_scores_as_it_says(
    scores: list[Score], detector: Detector, estate: Estate
) -> None:
    """Scored again without the items of the features that it names, a window has the bits that were foretold."""
    until = closed_until(estate.lake)
    assert until is not None
    windows = merge_windows(list(extract_days(estate.lake, estate.until, until)))
    met = [
        one
        for one in scores
        if one.counterfactual and all(specs()[name].kind == "items" for name in one.counterfactual.without)
    ]
    assert met
    for one in met[:3]:
        assert one.counterfactual is not None
        start = datetime.fromisoformat(one.window_start)
        here = (pl.col("workload") == one.workload) & pl.col("window_start").is_between(
            start - (SPAN - 1) * WINDOW, start
        )
        items = windows.items.filter(~(here & pl.col("feature").is_in(one.counterfactual.without)))
        again = detector.score(Windows(windows.values, items, windows.facts), start)
        (found,) = (a for a in again if (a.workload, a.window_start) == (one.workload, one.window_start))
        assert found.bits == pytest.approx(one.counterfactual.bits)


def test_only_strange_windows_are_attributed(scores: list[Score]) -> None:
    """Attribution comes with severities from `medium` up, and adds up."""
    for one in scores:
        assert (one.attribution is not None) == (one.severity not in ("none", "low"))
        if told := one.attribution:
            assert told.path_length == pytest.approx(told.expected_path_length - sum(told.credit.values()))


def test_the_same_events_in_other_files_and_order_give_the_same_scores(
    scores: list[Score], detector: Detector, estate: Estate, tmp_path: Path
) -> None:
    """Scores depend on what happened, not on how the telemetry was cut, ordered or repeated."""
    lake = Lake(tmp_path / "lake")
    files = sorted(path for folder in ("learn", "watch") for path in (estate.folder / folder).iterdir())
    random.Random(1).shuffle(files)  # noqa: S311 (an order, not a secret)
    for path in [*files, files[0]]:
        for batch in read_events([path], batch_rows=7_000):
            lake.append(batch.events)

    assert strip(score(detector, lake, estate.until)) == strip(scores)


def test_scores_do_not_depend_on_where_scoring_starts(scores: list[Score], detector: Detector, estate: Estate) -> None:
    """Asking for the last hours gives the same rows as asking for the whole day."""
    since = estate.until + timedelta(hours=17, minutes=20)
    until = closed_until(estate.lake)
    assert until is not None
    windows = merge_windows(list(extract_days(estate.lake, estate.until, until)))

    late = detector.score(windows, since)

    text = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert late == [one for one in scores if one.window_start >= text]


def test_a_window_is_closed_by_event_time(estate: Estate) -> None:
    """The window that holds the last event is still open, and is not extracted."""
    span = estate.lake.span()
    until = closed_until(estate.lake)
    assert span is not None
    assert until is not None

    found = [w.values["window_start"].max() for w in extract_days(estate.lake, estate.until, until)]

    assert until <= span[1] < until + timedelta(minutes=10)
    assert max(found) == until - timedelta(minutes=10)


def test_late_events_change_the_window_they_belong_to(detector: Detector, estate: Estate, tmp_path: Path) -> None:
    """Events that come late are scored with their own window, as if they had been in time."""
    everything = estate.lake.read(estate.until - timedelta(days=1), estate.until + timedelta(hours=3))
    moment = estate.until + timedelta(hours=1)
    late = (pl.col("ts") >= moment) & (pl.col("ts") < moment + timedelta(minutes=10)) & (pl.col("kind") == "flow")
    in_time, delayed = Lake(tmp_path / "in-time"), Lake(tmp_path / "delayed")
    in_time.append(everything)
    delayed.append(everything.filter(~late))

    before = strip(score(detector, delayed, estate.until))
    delayed.append(everything.filter(late))

    after = strip(score(detector, delayed, estate.until))
    assert after == strip(score(detector, in_time, estate.until))
    assert after != before


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return Registry(tmp_path_factory.mktemp("registry"), key=key, trusted=[key.public_key()])


def test_a_stored_detector_scores_as_the_one_that_was_trained(
    detector: Detector, scores: list[Score], registry: Registry, estate: Estate
) -> None:
    """Saved, verified and loaded again, a detector gives the same scores to the last bit."""
    version = registry.save(detector.artefact(), created_at=estate.until)
    loaded = Detector.from_artefact(registry.load(version), version)

    assert strip(score(loaded, estate.lake, estate.until)) == strip(scores)
    assert loaded.baseline(scores[0].workload) == detector.baseline(scores[0].workload)


def test_training_twice_gives_the_same_bytes(detector: Detector, registry: Registry, estate: Estate) -> None:
    """Refresh on the same telemetry is byte-identical, apart from the version."""
    again = train(estate.lake, until=estate.until)[0]
    first = registry.save(detector.artefact(), created_at=estate.until)
    second = registry.save(again.artefact(), created_at=estate.until + timedelta(days=1))

    def files(version: str) -> dict[str, bytes]:
        folder = next(path for path in registry.root.rglob(version) if path.is_dir())
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    left, right = files(first), files(second)
    manifests = [json.loads(found.pop("manifest.json")) for found in (left, right)]
    for found in (left, right):
        found.pop("manifest.sig")
    for manifest in manifests:
        for name in ("version", "created_at"):
            manifest.pop(name, None)
    assert left == right
    assert manifests[0] == manifests[1]


def test_an_empty_or_tiny_lake_says_what_to_do(estate: Estate, tmp_path: Path) -> None:
    """Too little telemetry is a clear error that names the next step."""
    lake = Lake(tmp_path / "lake")
    with pytest.raises(TrainingError, match="wharfinger ingest"):
        train(lake)
    lake.append(estate.lake.read(estate.until, estate.until + timedelta(minutes=30)))
    with pytest.raises(TrainingError, match="ingest more"):
        train(lake)


def test_a_workload_describes_its_baseline(detector: Detector) -> None:
    """What is normal for a workload can be read: typical magnitudes with units, and the items it knows."""
    workload = detector.workloads().sort("windows", descending=True)["workload"][0]

    described = detector.baseline(workload)

    assert described is not None
    assert described["windows"] > 100
    assert json.loads(json.dumps(described)) == described
    assert described["magnitudes"]
    assert all(m["low"] <= m["typical"] <= m["high"] for m in described["magnitudes"].values())
    assert detector.baseline("docker:no/such") is None


def test_a_reason_of_an_earlier_window_says_how_long_ago(scores: list[Score]) -> None:
    """Reasons carried over from an earlier window say so, and stay within the hour."""
    told = [reason.text.rsplit(", ", 1)[-1] for one in scores for reason in one.reasons]
    ago = {text for text in told if text.endswith(" minutes earlier")}

    assert ago
    assert ago <= {f"{minutes} minutes earlier" for minutes in (10, 20, 30, 40, 50)}


def test_evidence_reads_the_same_in_every_window_of_its_hour(scores: list[Score]) -> None:
    """A reason that is carried on keeps value, range, bits and words, and adds how long ago it was seen."""
    told = {(one.workload, one.window_start): one.reasons for one in scores}
    carried = 0
    for (workload, start), reasons in told.items():
        for reason in reasons:
            words, _, ago = reason.text.rpartition(", ")
            if not ago.endswith(" minutes earlier"):
                continue
            origin = datetime.fromisoformat(start) - timedelta(minutes=int(ago.split()[0]))
            first = told.get((workload, f"{origin:%Y-%m-%dT%H:%M:%SZ}"), [])
            own = [one for one in first if one.feature == reason.feature and not one.text.endswith(" earlier")]
            carried += len(own)
            assert all(msgspec.structs.replace(reason, text=words) == one for one in own)

    assert carried
