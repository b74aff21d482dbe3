"""What the network features say of traffic whose kind is known: drips, inner beacons, foreign requests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from features.events import EVENT_SCHEMA, with_missing
from features.extraction import extract
from features.leases import attribute, build_leases
from features.windows import Windows

START = datetime(2026, 9, 14, tzinfo=UTC)
OUTSIDE, INSIDE = "203.0.113.7", "10.0.0.9"


def flow(hours: float, address: str = OUTSIDE, port: int = 443, **more: Any) -> dict[str, Any]:
    return {
        "ts": START + timedelta(hours=hours), "kind": "flow", "src_ip": "10.0.0.1", "dst_ip": address, "dst_port": port,
        "proto": "tcp", "conn_state": "SF", "bytes_out": 500, "bytes_in": 5000, "uid": f"{hours}{address}{port}",
    } | more  # fmt: skip


def windows(rows: list[dict[str, Any]]) -> Windows:
    names = {name for row in rows for name in row}
    events = with_missing(pl.DataFrame(rows, schema={name: EVENT_SCHEMA[name] for name in names})).sort("ts")
    return extract(attribute(events, build_leases(events)))


def met(found: Windows, feature: str) -> list[str]:
    return found.items.filter(pl.col("feature") == feature).sort("window_start")["item"].to_list()


def test_a_drip_is_many_small_sendings_over_hours_and_not_one_upload_nor_downloads() -> None:
    """What is sent to in four hours of a day, and answers little, drips from the fourth hour on."""
    drip = windows([flow(hour, bytes_out=4000, bytes_in=300) for hour in range(6)])
    upload = windows([flow(0.1 * n, bytes_out=400_000, bytes_in=300) for n in range(6)])
    downloads = windows([flow(hour) for hour in range(6)])
    days_apart = windows([flow(20 * n, bytes_out=4000, bytes_in=300) for n in range(6)])

    assert met(drip, "network.drip") == [OUTSIDE] * 3
    assert [met(other, "network.drip") for other in (upload, downloads, days_apart)] == [[], [], []]


def test_calls_inside_are_beacons_of_their_own_kind() -> None:
    """Even calls of a workload to another are an inner beacon, to the outside a beacon, to everybody none."""
    calls = [
        flow(minute / 60, address, conn_state=None)
        for minute in range(90)
        for address in (OUTSIDE, INSIDE, "10.0.0.255")
    ]
    found = windows(calls)

    assert set(met(found, "network.beacon")) == {f"{OUTSIDE}:443"}
    assert set(met(found, "network.internal_beacon")) == {f"ip:{INSIDE}:443"}


def test_names_under_one_domain_add_up_over_the_day() -> None:
    """A tunnel of two names an hour has two in its window and twenty in ten hours."""
    queries = [
        {"ts": START + timedelta(hours=hour, minutes=n), "kind": "dns", "src_ip": "10.0.0.1",
         "query": f"x{hour}-{n}.tunnel.example", "qtype": "A"}
        for hour in range(10) for n in range(2)
    ]  # fmt: skip
    last = windows(queries).values.sort("window_start").tail(1)

    assert last["network.subdomains"].item() == 2
    assert last["network.day_subdomains"].item() == 20


def test_a_request_is_its_method_and_first_steps_without_what_varies() -> None:
    """Numbers, identifiers, deeper steps and questions make no request new; HTTP to a bare address is told."""
    uris = ["/orders/17/lines?page=2", "/orders/99", "/gate", "/o/0123456789abcdef/x"]
    rows = [
        row
        for n, uri in enumerate(uris)
        for row in (
            flow(0.01 * n, port=80, uid=f"C{n}"),
            flow(0.01 * n, port=80, uid=f"C{n}", kind="http", method="GET", uri=uri, server_name=f"{OUTSIDE}:80"),
        )
    ]
    found = windows(rows)

    assert sorted(met(found, "network.new_request")) == ["GET /gate", "GET /o/#", "GET /orders/#"]
    assert met(found, "network.bare_address") == [OUTSIDE]
