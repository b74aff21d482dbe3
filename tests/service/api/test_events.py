import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgpack
import polars as pl
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.events import conform
from service.api.events import MAX_EVENTS
from service.app import create_app
from service.jobs.fold import fold
from service.settings import Settings
from service.spool import Spool
from service.wiring import Home, open_home
from tests.service.conftest import no_room, telemetry

RECORDS = telemetry()[4:10]
JSON, LINES, PACKED = "application/json", "application/x-ndjson", "application/msgpack"
GZIPPED: dict[str, Any] = {"content_type": JSON, "headers": {"Content-Encoding": "gzip"}}
FORMS: dict[str, tuple[str, Callable[[list[Any]], bytes]]] = {
    "array": (JSON, lambda records: json.dumps(records).encode()),
    "array over lines": (JSON, lambda records: json.dumps(records, indent=2).encode()),
    "lines": (LINES, lambda records: b"\n".join(json.dumps(one).encode() for one in records)),
    "lines called JSON": (JSON, lambda records: b"\n".join(json.dumps(one).encode() for one in records)),
    "one after the other": (JSON, lambda records: b"".join(json.dumps(one).encode() for one in records)),
    "objects over lines": (JSON, lambda records: b"\n".join(json.dumps(one, indent=2).encode() for one in records)),
    "msgpack array": (PACKED, msgpack.packb),
    "msgpack maps": (PACKED, lambda records: b"".join(map(msgpack.packb, records))),
    "msgpack entries": (PACKED, lambda records: b"".join(msgpack.packb([1.5, one]) for one in records)),
    "msgpack entries with metadata": (
        PACKED,
        lambda records: b"".join(msgpack.packb([[msgpack.ExtType(0, b"12345678"), {}], one]) for one in records),
    ),
}


@pytest.fixture
def home(settings_at: Callable[..., Settings]) -> Home:
    return open_home(settings_at())


def post(client: FlaskClient, records: list[Any], **headers: str) -> Any:
    return client.post("/v1/events", json=records, headers={name.replace("_", "-"): v for name, v in headers.items()})


def lake(home: Home) -> list[str]:
    fold(home, now=datetime.now(UTC))
    return home.lake.read(columns=["uid"])["uid"].sort().to_list()


def uids(records: list[Any]) -> list[str]:
    return sorted(str(one["uid"]) for one in records)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_every_form_is_taken_in(empty: FlaskClient, home: Home, form: str, encoding: str) -> None:
    """Whatever form records come in, each is accepted, and lies in the lake once."""
    media, write = FORMS[form]
    raw = write(RECORDS)
    body = gzip.compress(raw) if encoding == "gzip" else raw

    answer = empty.post("/v1/events", data=body, content_type=media, headers={"Content-Encoding": encoding})

    assert answer.status_code == 200
    assert answer.json["outcomes"] == ["accepted"] * len(RECORDS)
    assert lake(home) == uids(RECORDS)


def test_one_object_is_a_request(empty: FlaskClient, home: Home) -> None:
    """A sender of single events needs no array."""
    assert empty.post("/v1/events", json=RECORDS[0]).json["outcomes"] == ["accepted"]
    assert lake(home) == uids(RECORDS[:1])


def test_nothing_is_taken_in_twice(empty: FlaskClient, home: Home) -> None:
    """A record that was accepted is a duplicate ever after: within a request, in the spool, and in the lake."""
    assert post(empty, [RECORDS[0], RECORDS[0]]).json["outcomes"] == ["accepted", "duplicate"]
    assert post(empty, RECORDS[:2]).json["outcomes"] == ["duplicate", "accepted"]
    assert lake(home) == uids(RECORDS[:2])
    assert post(empty, RECORDS[:3]).json["outcomes"] == ["duplicate", "duplicate", "accepted"]
    assert lake(home) == uids(RECORDS[:3])


def test_a_bad_record_harms_no_other(empty: FlaskClient, home: Home) -> None:
    """Each record that cannot be read is told with its place and reason, counted, and set aside."""
    answer = post(empty, [RECORDS[0], 7, {"a": 1}, RECORDS[1], RECORDS[2] | {"ts": "yesterday"}])

    assert answer.status_code == 200
    assert answer.json["outcomes"] == ["accepted", "rejected", "rejected", "accepted", "rejected"]
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["#/1", "#/2", "#/4"]
    assert "keys a" in answer.json["errors"][1]["detail"]
    (letters,) = home.rejects.iterdir()
    set_aside = [json.loads(line) for line in letters.read_bytes().splitlines()]
    assert [one["line"] for one in set_aside] == [2, 3, 5]
    assert {one["file"] for one in set_aside} == {answer.json["id"]}
    assert lake(home) == uids(RECORDS[:2])


def test_a_broken_line_harms_no_other(empty: FlaskClient, home: Home) -> None:
    """A line that breaks off is set aside, and those before and after it are accepted."""
    lines = [json.dumps(RECORDS[0]), '{"ts": 1, "uid"', json.dumps(RECORDS[1])]

    answer = empty.post("/v1/events", data="\n".join(lines), content_type=LINES)

    assert answer.json["outcomes"] == ["accepted", "rejected", "accepted"]
    assert lake(home) == uids(RECORDS[:2])


def test_what_says_nothing_is_ignored(empty: FlaskClient) -> None:
    """A record that a source knows and makes nothing of is neither accepted nor an error."""
    still_open = RECORDS[1] | {"_path": "open_conn"}

    assert post(empty, [still_open, RECORDS[0]]).json["outcomes"] == ["ignored", "accepted"]


def test_a_request_of_nothing_but_junk_is_refused(empty: FlaskClient) -> None:
    """When no record can be read the request is refused, with a reason for each."""
    answer = post(empty, [{"a": 1}, 2])

    assert answer.status_code == 422
    assert len(answer.json["errors"]) == 2


def test_host_and_source_are_taken_from_the_query(empty: FlaskClient, home: Home) -> None:
    """`host` names the host of records that name none; `source` says what all of them are."""
    assert empty.post("/v1/events?host=n7&source=zeek", json=RECORDS[:1]).status_code == 200
    assert empty.post("/v1/events?source=docker_events", json=RECORDS[1:2]).status_code == 422
    assert empty.post("/v1/events?source=nosuch", json=RECORDS[1:2]).status_code == 422

    lake(home)
    assert home.lake.read(columns=["host"])["host"].to_list() == ["n7"]


def test_a_key_gives_the_same_answer(empty: FlaskClient) -> None:
    """The same request under the same key is answered alike; another request under it is refused."""
    first = post(empty, RECORDS[:2], Idempotency_Key="a")

    assert first.json["accepted"] == 2
    assert post(empty, RECORDS[:2], Idempotency_Key="a").data == first.data
    assert post(empty, RECORDS[:2], Idempotency_Key="b").json["duplicate"] == 2
    refused = post(empty, RECORDS[:3], Idempotency_Key="a")
    assert (refused.status_code, refused.json["type"]) == (422, "urn:wharfinger:problem:reused-key")
    assert post(empty, RECORDS[:3]).json["accepted"] == 1


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 257])
def test_a_key_has_a_form(empty: FlaskClient, key: str) -> None:
    """A key that is empty, long or not printable is refused."""
    assert post(empty, RECORDS[:1], Idempotency_Key=key).status_code == 422


def test_a_full_spool_asks_to_come_again(settings_at: Callable[..., Settings]) -> None:
    """While there is no room, intake and readiness answer 503, and nothing is taken in; then it goes on."""
    settings = settings_at(spool_bytes=str(2**20))
    home, client = open_home(settings), create_app(settings).test_client()
    ids = [number * 0x9E3779B97F4A7C15 % 2**64 for number in range(200_000)]
    others = pl.DataFrame(
        {"ts": [datetime(2026, 9, 14, tzinfo=UTC)] * 200_000, "event_id": ids, "source": ["zeek"] * len(ids)}
    )
    Spool(settings.home / "spool", 2**30).add(conform(others), datetime.now(UTC))

    answer = post(client, RECORDS)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["type"] == "urn:wharfinger:problem:spool-full"
    assert "full" in client.get("/readyz").json["checks"]["spool"]
    assert len(lake(home)) == 200_000
    assert post(client, RECORDS).json["accepted"] == len(RECORDS)


def test_a_full_disk_takes_in_nothing(empty: FlaskClient, home: Home) -> None:
    """What cannot be written is answered 503 with the time to come again, and is not there by half."""
    with no_room():
        answer = post(empty, RECORDS)
        ready = empty.get("/readyz")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "cannot be written" in ready.json["checks"]["spool"]
    assert home.spool.backlog().files == 0
    assert post(empty, RECORDS).json["accepted"] == len(RECORDS)


def test_large_bodies_are_refused(settings_at: Callable[..., Settings]) -> None:
    """Too many bytes, as sent or inflated, or too many records, are 413 before anything is taken in."""
    settings = settings_at(max_body_bytes="200000", max_inflated_bytes="1000000")
    client, home = create_app(settings).test_client(), open_home(settings)
    bomb = gzip.compress(b" " * 10_000_000)

    assert client.post("/v1/events", data=b" " * 200_001, content_type=JSON).status_code == 413
    assert client.post("/v1/events", data=bomb, **GZIPPED).status_code == 413
    for many in ({"events": [0] * (MAX_EVENTS + 1)}, [0] * (MAX_EVENTS + 1)):
        assert client.post("/v1/events", data=gzip.compress(json.dumps(many).encode()), **GZIPPED).status_code == 413
    assert home.spool.backlog().files == 0


def test_other_bodies_are_refused(empty: FlaskClient) -> None:
    """A body of another type or compression, or without anything in it, is refused saying what to send."""
    assert empty.post("/v1/events", data="a=1", content_type="text/plain").status_code == 415
    assert empty.post("/v1/events", data="{}", content_type=JSON, headers={"Content-Encoding": "br"}).status_code == 415
    assert empty.post("/v1/events", content_type=JSON).status_code == 400
    assert empty.post("/v1/events", json=[]).json["accepted"] == 0
    assert empty.post("/v1/events?hots=n1", json=[]).status_code == 422


def test_metrics_tell_of_intake(empty: FlaskClient, home: Home) -> None:
    """What waits in the spool, how the records fared and how far the watermark is can be scraped."""
    post(empty, [*RECORDS, 7])
    before = empty.get("/metrics").text
    lake(home)
    after = empty.get("/metrics").text

    assert 'wharfinger_intake_records_total{outcome="accepted"}' in before
    assert "wharfinger_spool_files 1.0" in before
    assert "wharfinger_spool_files 0.0" in after
    assert "wharfinger_windows_open 1.0" in after
    assert "wharfinger_watermark_timestamp_seconds 1." in after


packed = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("media", [JSON, LINES, PACKED])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_any_bytes_are_answered(empty: FlaskClient, media: str, encoding: str) -> None:
    """Whatever bytes come, the answer is 200 or a 4xx."""

    @given(raw=st.binary(max_size=60) | st.text('{}[]",:ts \n1e', max_size=40).map(str.encode))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def check(raw: bytes) -> None:
        headers = {"Content-Encoding": encoding}
        assert empty.post("/v1/events", data=raw, content_type=media, headers=headers).status_code in (200, 400, 422)

    check()


def test_any_msgpack_is_answered(empty: FlaskClient) -> None:
    """Whatever msgpack holds, in place of a record or of one of its values, the answer is 200 or 422."""

    @given(values=st.lists(packed, max_size=3), key=st.sampled_from(list(RECORDS[0])), value=packed)
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    def check(values: list[Any], key: str, value: Any) -> None:
        raw = b"".join(map(msgpack.packb, [*values, RECORDS[0] | {key: value}]))
        assert empty.post("/v1/events", data=raw, content_type=PACKED).status_code in (200, 422)

    check()


def test_deep_nesting_is_no_error(empty: FlaskClient) -> None:
    """Records nested as deeply as a body allows are set aside."""
    for raw, media in ((b'{"a":' * 50_000, JSON), (b"[" * 50_000 + b"]" * 50_000, JSON), (b"\x91" * 50_000, PACKED)):
        assert empty.post("/v1/events", data=raw, content_type=media).status_code == 422
