from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.events import frame
from features.ingest import read_events
from features.protocols import RecordError
from features.sources.zeek import source

CONN: dict[str, Any] = {
    "ts": 1588205199.82437,
    "uid": "Cvf4XX17",
    "id.orig_h": "10.0.1.6",
    "id.orig_p": 54243,
    "id.resp_h": "10.0.0.4",
    "id.resp_p": 53,
    "proto": "udp",
    "service": "DNS",
    "duration": 0.25,
    "orig_bytes": 39,
    "resp_bytes": 55,
    "conn_state": "SF",
}


def row(record: dict[str, Any]) -> dict[str, Any]:
    (parsed,) = source.parse(record, None)
    return frame([parsed]).row(0, named=True)


def respelled(prefix: str) -> dict[str, Any]:
    return {key.replace("id.", prefix): value for key, value in CONN.items()}


def test_connection_becomes_a_flow() -> None:
    """Out is from the originator to the responder; the service is in lower case."""
    parsed = row(CONN)
    assert parsed["ts"] == datetime(2020, 4, 30, 0, 6, 39, 824_370, UTC)
    wanted = {
        "kind": "flow",
        "src_ip": "10.0.1.6",
        "src_port": 54243,
        "dst_ip": "10.0.0.4",
        "dst_port": 53,
        "proto": "udp",
        "service": "dns",
        "bytes_out": 39,
        "bytes_in": 55,
        "duration": 0.25,
        "conn_state": "SF",
        "uid": "Cvf4XX17",
    }
    assert {key: parsed[key] for key in wanted} == wanted


def test_endpoints_are_spelled_in_three_ways() -> None:
    """Dotted, underscored and nested endpoints are the same connection, with the same identity."""
    nested = {key: value for key, value in CONN.items() if not key.startswith("id.")}
    nested["id"] = {key.removeprefix("id."): value for key, value in CONN.items() if key.startswith("id.")}
    assert source.parse(CONN, None) == source.parse(respelled("id_"), None) == source.parse(nested, None)


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        (12.5, datetime(1970, 1, 1, 0, 0, 12, 500_000, UTC)),
        ("2011-08-15T03:36:16.748830Z", datetime(2011, 8, 15, 3, 36, 16, 748_830, UTC)),
        ("2011-08-15T05:36:16+02:00", datetime(2011, 8, 15, 3, 36, 16, tzinfo=UTC)),
        ("1588205199.5", datetime(2020, 4, 30, 0, 6, 39, 500_000, UTC)),
        (1588205199, datetime(2020, 4, 30, 0, 6, 39, tzinfo=UTC)),
    ],
)
def test_times_are_seconds_or_iso(ts: object, expected: datetime) -> None:
    """Times relative to the start of a capture stand in 1970 and are taken as they are."""
    assert row({**CONN, "ts": ts})["ts"] == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ts", -1.0),
        ("ts", float("nan")),
        ("ts", None),
        ("ts", 4_102_444_800),
        ("ts", 1e18),
        ("id.orig_p", 93145),
        ("id.orig_p", -1),
        ("orig_bytes", -5),
        ("resp_bytes", 2**64),
        ("duration", -0.5),
        ("duration", float("inf")),
        ("id.orig_h", "not an address"),
        ("id.resp_h", None),
        ("service", 7),
    ],
    ids=str,
)
def test_absurd_values_are_refused(field: str, value: object) -> None:
    """What cannot be is refused with the name of its field, not rounded to something that could."""
    with pytest.raises(RecordError, match=field.rpartition(".")[2]):
        source.parse({**CONN, field: value}, None)


def test_icmp_keeps_type_and_code_in_the_place_of_ports() -> None:
    """Zeek writes ICMP's type and code as ports."""
    parsed = row({**CONN, "proto": "icmp", "id.orig_p": 3, "id.resp_p": 1})
    assert (parsed["proto"], parsed["src_port"], parsed["dst_port"]) == ("icmp", 3, 1)


def test_addresses_are_canonical() -> None:
    """IPv6 is written in one way, so that leases can be found; zones of link-local addresses are dropped."""
    assert row({**CONN, "id.orig_h": "FE80::0:1%eth0"})["src_ip"] == "fe80::1"


def test_open_connection_has_no_sizes() -> None:
    """Absent values are null, never zero."""
    parsed = row({key: CONN[key] for key in CONN if key not in {"orig_bytes", "resp_bytes", "duration", "service"}})
    assert (parsed["bytes_out"], parsed["bytes_in"], parsed["duration"], parsed["service"]) == (None,) * 4


@pytest.fixture
def by_kind(samples: Path) -> dict[str, dict[str, Any]]:
    """The first event of each kind in the JSON sample."""
    (batch,) = read_events([samples / "zeek.jsonl"])
    return {kind: batch.events.filter(kind=kind).row(0, named=True) for kind in ("dns", "http", "tls")}


def test_dns_query_with_its_answers(by_kind: dict[str, dict[str, Any]]) -> None:
    """A query keeps its type, its result and all its answers."""
    dns = by_kind["dns"]
    assert (dns["query"], dns["qtype"], dns["rcode"]) == ("irc.freenode.net", "A", "NOERROR")
    assert dns["answers"][:2] == ["chat.freenode.net", "213.179.58.83"]


def test_http_request(by_kind: dict[str, dict[str, Any]]) -> None:
    """The Host header is the server's name; the status and the body sizes stand in their columns."""
    http = by_kind["http"]
    assert (http["method"], http["server_name"], http["status"]) == ("GET", "cr-tools.clients.google.com", 204)
    assert http["user_agent"] == "Google Update/1.3.21.65;winhttp"
    assert (http["bytes_out"], http["bytes_in"]) == (0, 0)


def test_tls_session(samples: Path) -> None:
    """A session says its version, whether it came about, and the client's fingerprint where Zeek has one."""
    (batch,) = read_events([samples / "zeek.jsonl"])
    tls = batch.events.filter(kind="tls")
    assert set(tls["tls_version"]) <= {"TLSv10", "TLSv12", "TLSv13"}
    assert tls["established"].any()
    assert tls["ja3"].drop_nulls().str.len_chars().to_list() == [32] * tls["ja3"].drop_nulls().len()


def test_logs_that_are_not_used_are_read_and_carry_nothing(samples: Path) -> None:
    """A whole directory of Zeek logs is accepted: files, ssh, weird are no mistakes."""
    (batch,) = read_events([samples / "zeek.jsonl"])
    assert batch.rejects == []
    assert batch.events.height < len((samples / "zeek.jsonl").read_text().splitlines())


def test_table_and_json_give_the_same_event() -> None:
    """The form a log is written in does not change the event."""
    table = {**CONN, "_path": "conn", "local_orig": None}
    assert source.parse(table, None) == source.parse(CONN, None)


def test_transactions_of_one_connection_are_told_apart() -> None:
    """Two requests on one connection at one time are two events."""
    http = {k: CONN[k] for k in CONN if k != "conn_state"} | {"trans_depth": 1, "method": "GET", "uri": "/"}
    first, second = source.parse(http, None)[0], source.parse({**http, "trans_depth": 2}, None)[0]
    assert first["record_id"] != second["record_id"]
