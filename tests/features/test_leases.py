"""Who an event belongs to: leases of container ids and addresses, as of the event's own time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from features.events import frame
from features.leases import attribute, build_leases

START = datetime(2026, 9, 14, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def container(workload: str, container_id: str, minute: float, address: str, **more: Any) -> list[dict[str, Any]]:
    """A container's life as the engine and an inspect tell it."""
    same = {"container_id": container_id, "workload": workload, "host": "n1"} | more
    return [
        same | {"ts": at(minute), "kind": "lifecycle", "action": "create", "image_repository": "shop/api"},
        same | {"ts": at(minute), "kind": "lifecycle", "action": "start"},
        same | {"ts": at(minute + 0.1), "kind": "config", "addresses": [address], "valid_from": at(minute)},
    ]


def flow(minute: float, source: str, destination: str, **more: Any) -> dict[str, Any]:
    return {"ts": at(minute), "kind": "flow", "src_ip": source, "dst_ip": destination, "dst_port": 80} | more


def resolve(*rows: dict[str, Any]) -> pl.DataFrame:
    events = frame({"event_id": number} | row for number, row in enumerate(rows))
    return attribute(events, build_leases(events))


def ends(events: pl.DataFrame) -> list[tuple[str | None, str | None]]:
    return events.filter(pl.col("kind") == "flow").select("workload", "peer").rows()


def test_a_flow_lands_on_the_workloads_of_both_ends() -> None:
    """A flow between two containers names the originator's workload and the responder's."""
    rows = [*container("docker:shop/api", "a", 0, "172.18.0.5"), *container("docker:shop/db", "b", 0, "172.18.0.6")]

    assert ends(resolve(*rows, flow(5, "172.18.0.5", "172.18.0.6"))) == [("docker:shop/api", "docker:shop/db")]


def test_an_address_reused_later_lands_on_its_new_holder() -> None:
    """The same address names the old workload before the reuse and the new one after it."""
    rows = [
        *container("docker:shop/api", "a", 0, "172.18.0.5"),
        {"ts": at(10), "kind": "lifecycle", "action": "destroy", "container_id": "a", "host": "n1"},
        *container("docker:blog/web", "b", 12, "172.18.0.5"),
    ]
    flows = [flow(minute, "172.18.0.5", "203.0.113.9") for minute in (5, 11.5, 13)]

    found = [workload for workload, _ in ends(resolve(*rows, *flows))]

    assert found == ["docker:shop/api", "ip:172.18.0.5", "docker:blog/web"]


def test_a_restarted_container_keeps_its_address() -> None:
    """Die and start of the same container do not end its lease, even without another inspect."""
    rows = container("docker:shop/api", "a", 0, "172.18.0.5")
    rows += [
        {"ts": at(5), "kind": "lifecycle", "action": "die", "container_id": "a", "host": "n1"},
        {"ts": at(6), "kind": "lifecycle", "action": "start", "container_id": "a", "host": "n1"},
    ]

    assert ends(resolve(*rows, flow(9, "172.18.0.5", "203.0.113.9"))) == [("docker:shop/api", None)]


def test_a_restart_may_bring_another_address() -> None:
    """After a restart the address of the old run is free for others; the new one counts from the new start."""
    rows = container("docker:shop/api", "a", 0, "172.18.0.5")
    rows += [
        {"ts": at(5), "kind": "lifecycle", "action": "die", "container_id": "a", "host": "n1"},
        *container("docker:shop/db", "b", 6, "172.18.0.5"),
        {"ts": at(8), "kind": "lifecycle", "action": "start", "container_id": "a", "host": "n1"},
        {"ts": at(8.1), "kind": "config", "container_id": "a", "workload": "docker:shop/api", "host": "n1",
         "addresses": ["172.18.0.9"], "valid_from": at(8)},
    ]  # fmt: skip
    flows = [
        flow(minute, source, "203.0.113.9")
        for minute, source in ((4, "172.18.0.5"), (9, "172.18.0.5"), (9, "172.18.0.9"))
    ]

    found = [workload for workload, _ in ends(resolve(*rows, *flows))]

    assert found == ["docker:shop/api", "docker:shop/db", "docker:shop/api"]


def test_a_dead_container_holds_nothing() -> None:
    """Between death and the next start the address is nobody's."""
    rows = container("docker:shop/api", "a", 0, "172.18.0.5")
    rows += [{"ts": at(5), "kind": "lifecycle", "action": "die", "container_id": "a", "host": "n1"}]

    assert ends(resolve(*rows, flow(9, "172.18.0.5", "203.0.113.9"))) == [("ip:172.18.0.5", None)]


def test_the_order_in_which_events_come_does_not_matter() -> None:
    """Leases stated after the flows they explain are still found."""
    rows = [flow(5, "172.18.0.5", "203.0.113.9"), *container("docker:shop/api", "a", 0, "172.18.0.5")]

    assert ends(resolve(*reversed(rows))) == ends(resolve(*rows)) == [("docker:shop/api", None)]


def test_equal_addresses_on_two_hosts_are_told_apart_by_host() -> None:
    """Bridge networks repeat from host to host: a flow that states its host is joined there."""
    rows = [
        *container("docker:shop/api", "a", 0, "172.17.0.2", host="n1"),
        *container("docker:blog/web", "b", 1, "172.17.0.2", host="n2"),
    ]

    found = ends(resolve(*rows, flow(5, "172.17.0.2", "203.0.113.9", host="n1")))

    assert found == [("docker:shop/api", None)]


def test_only_internal_addresses_become_workloads_of_their_own() -> None:
    """An address nobody leased is `ip:` inside; outside, documentation ranges too, it stays no one's."""
    events = resolve(flow(1, "10.9.9.9", "198.51.100.7"), flow(2, "198.51.100.7", "10.9.9.9"))

    assert ends(events) == [("ip:10.9.9.9", None), (None, "ip:10.9.9.9")]
    assert events["external"].to_list() == [True, False]


def test_a_link_local_address_is_no_workload() -> None:
    """A machine speaks from its link-local IPv6 address too; its metadata service has one of IPv4 and counts."""
    found = resolve(
        flow(1, "fe80::1", "fd00::9"), flow(2, "fd00::1", "fe80::9"), flow(3, "10.0.0.1", "169.254.169.254")
    )

    assert ends(found) == [(None, "ip:fd00::9"), ("ip:fd00::1", None), ("ip:10.0.0.1", "ip:169.254.169.254")]


def test_a_pull_belongs_to_the_workload_that_then_runs_the_image() -> None:
    """A pull names no container: it goes to who creates one from that image on that host within 15 minutes."""
    image = {"image_registry": "registry.example", "image_repository": "shop/api", "image_tag": "2"}
    rows = [
        {"ts": at(0), "kind": "pull", "action": "pull", "host": "n1"} | image,
        {"ts": at(3), "kind": "lifecycle", "action": "create", "host": "n1", "container_id": "a",
         "workload": "docker:shop/api"} | image,
        {"ts": at(30), "kind": "pull", "action": "pull", "host": "n1"} | image,
    ]  # fmt: skip

    pulls = resolve(*rows).filter(pl.col("kind") == "pull")

    assert pulls["workload"].to_list() == ["docker:shop/api", "host:n1"]


def test_a_container_sharing_a_namespace_speaks_as_the_container_it_joined() -> None:
    """`network_mode: container:X` has no address of its own: its flows carry X's address and land on X."""
    rows = container("docker:shop/api", "a", 0, "172.18.0.5")
    rows += [{"ts": at(1), "kind": "config", "container_id": "s", "workload": "docker:shop/sidecar", "host": "n1"}]

    assert ends(resolve(*rows, flow(5, "172.18.0.5", "203.0.113.9"))) == [("docker:shop/api", None)]


def test_flows_at_the_very_start_are_not_lost_to_clock_skew() -> None:
    """A flow stamped a second before its container's start still lands on it."""
    rows = container("docker:shop/api", "a", 0, "172.18.0.5")

    assert ends(resolve(*rows, flow(-1 / 60, "172.18.0.5", "203.0.113.9"))) == [("docker:shop/api", None)]


def test_a_network_joined_later_brings_its_address_only_from_then_on() -> None:
    """Before the container joined, the address was another's, and so are the flows of that time."""
    late = {"container_id": "a", "workload": "docker:shop/api", "host": "n1", "kind": "config", "valid_from": at(0)}
    rows = [
        *container("docker:shop/api", "a", 0, "172.18.0.5"),
        *container("docker:blog/web", "b", 1, "172.19.0.9"),
        {"ts": at(20), "kind": "lifecycle", "action": "die", "container_id": "b", "host": "n1"},
        late | {"ts": at(30), "addresses": ["172.18.0.5", "172.19.0.9"]},
    ]
    flows = [flow(10, "172.19.0.9", "203.0.113.9"), flow(31, "172.19.0.9", "203.0.113.9")]

    assert [workload for workload, _ in ends(resolve(*rows, *flows))] == ["docker:blog/web", "docker:shop/api"]


def test_flows_alone_lease_nothing_in_the_shape_of_leases() -> None:
    """Where no event tells of a container the tables are empty, with the columns that others have."""
    spoken, lived = flow(5, "172.18.0.5", "172.18.0.6"), container("docker:shop/api", "a", 0, "172.18.0.5")
    nothing, something = build_leases(frame([spoken])), build_leases(frame([*lived, spoken]))

    for name in ("containers", "addresses", "runs", "machines"):
        empty, other = getattr(nothing, name), getattr(something, name)
        assert (len(empty), empty.schema) == (0, other.schema)
