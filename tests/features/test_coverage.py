"""What the telemetry covers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from features.coverage import COVERAGE_COLUMNS, coverage, merge
from features.events import conform
from features.leases import build_leases

START = datetime(2026, 9, 14, tzinfo=UTC)


def told(*rows: dict[str, Any]) -> pl.DataFrame:
    """Make events a minute apart."""
    kept = [
        {"ts": START + timedelta(minutes=number), "event_id": number, "kind": "flow", "source": "zeek"} | row
        for number, row in enumerate(rows)
    ]
    return conform(pl.DataFrame(kept, infer_schema_length=None))


def container(name: str, host: str, address: str) -> dict[str, Any]:
    return {
        "kind": "config",
        "source": "docker_inspect",
        "host": host,
        "container_id": f"{name}-{host}",
        "workload": name,
        "addresses": [address],
        "valid_from": START,
    }


def test_events_are_counted_by_source_host_and_workload() -> None:
    """Flows name no host: it is that of the workload's containers, where they have one host."""
    events = told(
        container("a", "n1", "10.0.0.1"),
        container("b", "n1", "10.0.0.2"),
        container("b", "n2", "10.0.0.3"),
        {"src_ip": "10.0.0.1", "dst_ip": "192.0.2.1"},
        {"src_ip": "10.0.0.1", "dst_ip": "192.0.2.1"},
        {"src_ip": "10.0.0.3", "dst_ip": "192.0.2.1"},
        {"src_ip": "198.51.100.7", "dst_ip": "192.0.2.1"},
        {"src_ip": "198.51.100.7", "dst_ip": "192.0.2.1", "host": "sensor"},
    )

    found = coverage(events.select(COVERAGE_COLUMNS), build_leases(events))

    at = [START + timedelta(minutes=number) for number in range(8)]
    assert found.rows() == [
        ("docker_inspect", "n1", "a", 1, at[0], at[0]),
        ("docker_inspect", "n1", "b", 1, at[1], at[1]),
        ("docker_inspect", "n2", "b", 1, at[2], at[2]),
        ("zeek", "", "", 1, at[6], at[6]),
        ("zeek", "", "b", 1, at[5], at[5]),
        ("zeek", "n1", "a", 2, at[3], at[4]),
        ("zeek", "sensor", "", 1, at[7], at[7]),
    ]
    parts = [coverage(events[at : at + 3].select(COVERAGE_COLUMNS), build_leases(events)) for at in (0, 3, 6)]
    assert merge(parts).equals(found)
    assert merge([]).height == 0
