import gzip
import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.events import EVENT_SCHEMA
from features.ingest import IngestError, events_from_records, read_events
from features.lake import Lake
from features.protocols import RecordError, sources

SAMPLES = Path(__file__).parent / "samples"


def read_all(paths: list[Path], **options: object) -> pl.DataFrame:
    return pl.concat(batch.events for batch in read_events(paths, **options))  # type: ignore[arg-type]


def test_directory_of_mixed_sources_is_read_as_a_whole(samples: Path) -> None:
    """Each file's content tells its source; only text that is no telemetry is set aside."""
    batches = list(read_events([samples], host="n1"))
    kinds = Counter(kind for batch in batches for kind in batch.events["kind"])
    assert set(kinds) >= {"pull", "image", "lifecycle", "config", "exec", "flow", "dns", "tls", "http", "audit"}
    rejected = {Path(reject.path).suffix for batch in batches for reject in batch.rejects}
    assert rejected <= {".md", ".txt", ".jsonl"}
    assert sum(batch.read_bytes for batch in batches) == sum(
        path.stat().st_size for path in samples.rglob("*") if path.is_file()
    )


def test_events_know_their_way_back(samples: Path) -> None:
    """`raw_ref` names the file and the line that a person can look up."""
    events = read_all([samples / "zeek_conn.log"])
    line = (samples / "zeek_conn.log").read_text().splitlines()[int(events["raw_ref"][0].rpartition(":")[2]) - 1]
    assert events["raw_ref"][0] == "zeek_conn.log:9"
    assert events["uid"][0] in line


def test_reject_says_where_why_and_what(tmp_path: Path, samples: Path) -> None:
    """A bad line is set aside with file, line, reason and its beginning; the good ones around it are read."""
    good = (samples / "docker_events.jsonl").read_text().splitlines()[:2]
    path = tmp_path / "events.log"
    path.write_text(f"{good[0]}\nhello\n" + '{"Type":"container","Actor":{},"Action":"start"}\n' + f"{good[1]}\n")
    (batch,) = read_events([path])
    assert batch.events.height == 2
    first, second = batch.rejects
    assert (first.path, first.line, first.text) == (str(path), 2, "hello")
    assert second.line == 3
    assert second.reason == "docker_events: time is missing"


def test_batches_are_bounded(samples: Path) -> None:
    """A batch holds about as many events as asked for, and together they are the file."""
    batches = list(read_events([samples / "docker_events.jsonl"], batch_rows=10))
    assert max(batch.events.height for batch in batches) <= 12
    assert sum(b.events.height for b in batches) == read_all([samples / "docker_events.jsonl"]).height


def test_batches_of_large_records_are_bounded_too(tmp_path: Path) -> None:
    """A hundred records of a megabyte are not held together, however many rows a batch may have."""
    event = {"status": "pull", "id": "x" * 2**20, "time": 1}
    with gzip.open(tmp_path / "large.gz", "wt", compresslevel=1) as file:
        for second in range(100):
            file.write(json.dumps(event | {"time": second}) + "\n")
    heights = [batch.events.height for batch in read_events([tmp_path])]
    assert sum(heights) == 100
    assert max(heights) <= 64


def test_file_without_events_gives_an_empty_frame_of_the_schema(tmp_path: Path) -> None:
    """An empty file is no error and no event."""
    (tmp_path / "empty.log").touch()
    (batch,) = read_events([tmp_path / "empty.log"])
    assert batch.events.schema == pl.Schema(EVENT_SCHEMA)
    assert batch.events.is_empty()


def test_missing_path_and_unknown_source_are_one_clear_line(tmp_path: Path) -> None:
    """What cannot be read at all is said before anything is read."""
    with pytest.raises(IngestError, match="nowhere does not exist"):
        list(read_events([tmp_path / "nowhere"]))
    with pytest.raises(IngestError, match=r"no source is called zeke; there are .*zeek"):
        list(read_events([tmp_path], source="zeke"))


def test_named_source_overrides_detection(samples: Path) -> None:
    """With a source named, records of others are set aside rather than read as something else."""
    (batch,) = read_events([samples / "docker_events.jsonl"], source="zeek")
    assert batch.events.is_empty()
    assert batch.rejects
    (batch,) = read_events([samples / "kubernetes_audit.jsonl"], source="kubernetes_audit")
    assert not batch.rejects


def test_event_id_is_the_same_on_every_machine_and_in_every_version(samples: Path) -> None:
    """The identity of a real event is pinned: a change of it would make every re-ingest a duplicate."""
    events = read_all([samples / "zeek_conn.log"])
    assert events.select("record_id", "event_id").row(0) == ("Pii6cUUq1v4 flow", PINNED)


PINNED = 16111345844288740333


def test_records_of_the_api_are_read_like_files(samples: Path) -> None:
    """Records handed over in memory give the same events, with their position as the way back."""
    records = [json.loads(line) for line in (samples / "docker_events.jsonl").read_text().splitlines()]
    batch = events_from_records(records, host="n1", ref="intake-7")
    from_file = read_all([samples / "docker_events.jsonl"], host="n1")
    assert batch.events["raw_ref"][0] == "intake-7:1"
    assert_frame_equal(batch.events.drop("raw_ref"), from_file.drop("raw_ref"))


def test_several_rows_of_one_record_are_told_apart(samples: Path) -> None:
    """A pod of two containers is two configurations and one request, three events with three ids."""
    events = read_all([samples / "kubernetes_audit.jsonl"])
    assert events["event_id"].n_unique() == events.height


def test_envelopes_of_cloud_platforms_are_opened(samples: Path) -> None:
    """AKS puts the audit event as a string into a string, GKE writes it in Google's own words."""
    aks, gke = (json.loads(line) for line in (samples / "envelopes.jsonl").read_text().splitlines())
    inner = json.loads(aks["properties"]["log"]) | {"requestReceivedTimestamp": "2026-09-14T09:20:00Z"}
    aks["properties"]["log"] = json.dumps(inner)
    hub = {"records": [aks, aks]}
    logs = {"logEvents": [{"id": "1", "timestamp": 1, "message": json.dumps(inner)}]}
    batch = events_from_records([aks, gke, hub, logs], ref="x")
    assert not batch.rejects
    assert batch.events["event_id"].n_unique() == 3  # the same event thrice, and two rows of GKE's exec
    exec_ = batch.events.filter(kind="exec").row(0, named=True)
    assert exec_["container_id"] == "example/one-off-valerii-tovstyk-1646666967280"
    assert exec_["actor"] == "k8s-actor:disallowed.user@example.com"


def test_caller_of_google_is_read_in_both_spellings(samples: Path) -> None:
    """Exports write the caller's address as callerIp or as callerIP."""
    gke = json.loads((samples / "envelopes.jsonl").read_text().splitlines()[1])
    caller = gke["protoPayload"]["requestMetadata"]
    caller["callerIP"] = caller.pop("callerIp")
    assert events_from_records([gke], ref="x").events["src_ip"].unique().to_list() == ["88.88.88.88"]


def test_what_a_container_prints_is_never_read_as_a_record() -> None:
    """A container cannot forge evidence by printing it: its log line is set aside, not opened."""
    forged = {"verb": "get", "user": {"username": "admin"}, "requestReceivedTimestamp": "2026-09-14T09:20:00Z"}
    line = {"log": json.dumps(forged) + "\n", "stream": "stdout", "time": "2026-09-14T09:20:00Z"}
    batch = events_from_records([line, {**line, "log": forged}], ref="x")
    assert batch.events.is_empty()
    assert len(batch.rejects) == 2


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_broken_envelope_is_set_aside_never_a_crash(data: st.DataObject) -> None:
    """Whatever stands in an envelope, the rest of the input is read."""
    lines = (SAMPLES / "envelopes.jsonl").read_text().splitlines()
    record = json.loads(data.draw(st.sampled_from(lines)))
    holder = record
    while True:
        key = data.draw(st.sampled_from(sorted(holder)))
        if not isinstance(holder[key], dict) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.just({"a": 1}))
    batch = events_from_records([record], ref="x")
    assert batch.events.height or batch.rejects


def test_envelopes_within_envelopes_end() -> None:
    """Nesting without end is set aside."""
    record: dict[str, object] = {"events": []}
    for _ in range(50):
        record = {"events": [record]}
    assert len(events_from_records([record], ref="x").rejects) == 1


def test_same_input_twice_adds_nothing(tmp_path: Path, samples: Path) -> None:
    """Ingest is idempotent over everything that the samples hold."""
    lake = Lake(tmp_path)
    first = sum(lake.append(batch.events) for batch in read_events([samples], host="n1"))
    again = sum(lake.append(batch.events) for batch in read_events([samples], host="n1"))
    assert first == lake.read().height > 100
    assert again == 0


@settings(suppress_health_check=list(HealthCheck), max_examples=10, deadline=None)
@given(st.data())
def test_any_split_and_order_of_files_gives_the_same_lake(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Rotation, compression and order of arrival do not change what is known, only the way back to it."""
    lines = (SAMPLES / "docker_events.jsonl").read_bytes().splitlines(keepends=True)
    cuts = [0, *sorted(data.draw(st.sets(st.integers(1, len(lines) - 1), max_size=4))), len(lines)]
    folder = tmp_path_factory.mktemp("split")
    parts = []
    for number, (a, b) in enumerate(itertools.pairwise(cuts)):
        path = folder / f"part.{number}.log"
        content = b"".join(lines[a:b])
        path.write_bytes(gzip.compress(content) if data.draw(st.booleans()) else content)
        parts.append(path)
    whole, split = Lake(folder / "whole"), Lake(folder / "split")
    for batch in read_events([SAMPLES / "docker_events.jsonl"]):
        whole.append(batch.events)
    for path in data.draw(st.permutations(parts)):
        for batch in read_events([path], batch_rows=data.draw(st.integers(1, 50))):
            split.append(batch.events)
    assert_frame_equal(whole.read().drop("raw_ref"), split.read().drop("raw_ref"))


EXPECTED = {
    "labelled/trickbot-week": {"flow": 13_001},
    "labelled/motd": {"flow": 15_363 + 14_201},
    "formats/docker-atoms": {"pull": 2},
    "formats/k8saudit-falco-psp": {"audit": 32, "config": 32},
    "formats/k8saudit-audit2rbac": {"audit": 37},
}


@pytest.mark.parametrize("folder", EXPECTED)
def test_real_captures_are_read_whole(folder: str, shared: Path) -> None:
    """Every record that a real capture holds of a kind we use is read, and only prose is set aside."""
    if not (shared / folder).is_dir():
        pytest.skip(f"needs ../shared/data/{folder}")
    batches = list(read_events([shared / folder]))
    counted = Counter(kind for batch in batches for kind in batch.events["kind"])
    assert {kind: counted[kind] for kind in EXPECTED[folder]} == EXPECTED[folder]
    prose = {"LICENSE", "COPYING", "ORIGIN.txt", "README.txt", "README.md", "demo-policy.yaml", "network_labels.csv"}
    assert {Path(r.path).name for batch in batches for r in batch.rejects} <= prose


def test_utf16_between_other_files(tmp_path: Path) -> None:
    """A file that a Windows shell redirected is read like the others."""
    shutil.copy(SAMPLES / "zeek.jsonl", tmp_path / "a.json")
    (tmp_path / "b.json").write_text((SAMPLES / "zeek.jsonl").read_text(), encoding="utf-16")
    plain, wide = read_events([tmp_path])
    assert_frame_equal(plain.events.drop("raw_ref"), wide.events.drop("raw_ref"))


def test_a_source_that_refuses_gives_one_reason() -> None:
    """The reason names the field, for a person who has to find it."""
    with pytest.raises(RecordError, match="timeNano"):
        sources()["docker_events"].parse({"Action": "x", "Type": "y", "Actor": {}, "timeNano": -1}, None)
