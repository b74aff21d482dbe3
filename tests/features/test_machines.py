from datetime import UTC, datetime, timedelta

import polars as pl

from features.events import frame
from features.leases import attribute, build_leases
from features.machines import heard, machines

START = datetime(2026, 9, 7, tzinfo=UTC)


def pulls(host: str, address: str, minutes: list[int]) -> list[dict[str, object]]:
    """Pulls as the engine tells of them, and, a second before, as the registry hears them."""
    image = {"image_registry": "registry.example", "image_repository": "shop/api"}
    rows: list[dict[str, object]] = []
    for number, minute in enumerate(minutes):
        moment, tag = START + timedelta(minutes=minute), f"1.{host}.{minute}"
        rows.append(
            {"ts": moment, "event_id": 10 * minute + number, "source": "docker_events", "kind": "pull",
             "action": "pull", "host": host, "image_tag": tag, **image}
        )  # fmt: skip
        rows.append(
            {"ts": moment - timedelta(seconds=1), "event_id": 1_000_000 + 10 * minute + number, "source": "registry",
             "kind": "image", "action": "registry_pull", "src_ip": address, "image_tag": tag, **image}
        )  # fmt: skip
    return rows


def test_a_machine_is_known_by_its_pulls() -> None:
    events = frame(pulls("h1", "10.0.0.11", [1, 5, 9]) + pulls("h2", "10.0.0.12", [2, 6, 10, 30]))

    assert machines(heard(events)).rows() == [("10.0.0.11", "h1"), ("10.0.0.12", "h2")]


def test_two_pulls_may_be_chance() -> None:
    assert machines(heard(frame(pulls("h1", "10.0.0.11", [1, 5])))).is_empty()


def test_an_address_that_several_machines_share_is_nobodys() -> None:
    shared = pulls("h1", "10.0.0.1", [1, 5, 9]) + pulls("h2", "10.0.0.1", [2, 6, 10])

    assert machines(heard(frame(shared))).is_empty()


def test_what_a_machine_says_itself_is_its_own() -> None:
    """Its flows, and what a registry heard from it, belong to the host and not to a nameless address."""
    flow = {
        "ts": START + timedelta(hours=1), "event_id": 7, "source": "zeek", "kind": "flow", "src_ip": "10.0.0.11",
        "dst_ip": "203.0.113.9", "dst_port": 443, "proto": "tcp", "conn_state": "SF",
    }  # fmt: skip
    events = frame([*pulls("h1", "10.0.0.11", [1, 5, 9]), flow])

    named = attribute(events, build_leases(events))

    assert set(named.filter(pl.col("kind") == "flow")["workload"]) == {"host:h1"}
    assert set(named.filter(pl.col("action") == "registry_pull")["workload"]) == {"host:h1"}
