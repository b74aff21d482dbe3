"""Scenarios in an estate that a lake tells of: who is found there, and what is played in its manner."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.events import frame
from features.ingest import read_events
from features.lake import Lake
from features.leases import attribute, build_leases
from service.emulation.estate.cast import workload_of
from service.emulation.estate.registry import HOST
from service.emulation.observed import Observed, observe
from service.emulation.recorded import playable, played, recorded
from service.emulation.scenario import library
from tests.estates import Estate

pytestmark = pytest.mark.slow

AT = datetime(2026, 9, 8, tzinfo=UTC)
Told = Callable[..., Lake]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Make a lake of a few events; each is `(minutes before AT, fields)`."""

    def make(*events: tuple[float, dict[str, Any]]) -> Lake:
        rows = [
            {"ts": int((AT - timedelta(minutes=ago)).timestamp() * 1e6), "event_id": number, "source": "told", **fields}
            for number, (ago, fields) in enumerate(events, 1)
        ]
        lake = Lake(tmp_path / "lake")
        lake.append(frame(rows))
        return lake

    return make


def snapshot(name: str, *addresses: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "config", "action": "inspect", "host": "n1", "container_id": name, "container_name": f"shop-{name}-1",
        "workload": f"docker:shop/{name}", "image": f"registry.own.example/shop/{name}:1",
        "image_registry": "registry.own.example", "image_repository": f"shop/{name}", "image_tag": "1",
        "addresses": list(addresses), **fields,
    }  # fmt: skip


def life(name: str, action: str) -> dict[str, Any]:
    return snapshot(name, kind="lifecycle", action=action)


def spoke(source: str, agent: str, target: str = "203.0.113.9", server: str = "a.example") -> dict[str, Any]:
    return {"kind": "http", "src_ip": source, "dst_ip": target, "dst_port": 80, "user_agent": agent,
            "server_name": server, "uid": f"{source}{agent}{server}"}  # fmt: skip


def asked(resolver: str) -> dict[str, Any]:
    return {"kind": "dns", "src_ip": "172.20.0.2", "dst_ip": resolver, "query": "a.example"}


def test_who_runs_is_found_and_who_ended_is_not(told: Told) -> None:
    """By starts and snapshots; `kill` ends nobody, for it also delivers a HUP."""
    estate = observe(
        told(
            (90, snapshot("web", "172.20.0.2")), (50, life("web", "kill")),
            (90, snapshot("gone", "172.20.0.3")), (40, life("gone", "die")), (39, life("gone", "stop")),
            (90, snapshot("back", "172.20.0.4")), (40, life("back", "die")), (30, life("back", "start")),
            (90, snapshot("made")), (80, life("made", "create")),
            (-5, snapshot("later", "172.20.0.6")),
        ),
        AT,
    )  # fmt: skip

    assert estate.containers["container_id"].to_list() == ["back", "web"]
    assert estate.containers["address"].to_list() == ["172.20.0.4", "172.20.0.2"]


def test_only_who_has_an_ipv4_address_can_be_a_victim(told: Told) -> None:
    lake = told((9, snapshot("six", "fd00::2")), (9, snapshot("both", "172.20.0.7", "fd00::7")), (9, snapshot("host")))

    assert observe(lake, AT).containers.select("container_id", "address").rows() == [("both", "172.20.0.7")]


@pytest.mark.parametrize("events", [[], [(9, snapshot("six", "fd00::2"))], [(9, asked("10.9.9.9"))]])
def test_an_estate_without_victims_is_refused(told: Told, events: list[Any]) -> None:
    with pytest.raises(LookupError, match="no container of a Docker Engine"):
        observe(told(*events), AT)


def test_events_without_a_host_are_of_one_machine(told: Told, tmp_path: Path) -> None:
    estate = observe(told((9, snapshot("web", "172.20.0.2", host=None))), AT)

    assert list(recorded(estate, tmp_path / "out", AT + timedelta(days=1), seed=1).engines) == ["local"]


def test_the_resolver_is_the_one_asked_most_lately(told: Told) -> None:
    web, day = (9, snapshot("web", "172.20.0.2")), 24 * 60
    lately = [(3, asked("10.0.9.1")), (2, asked("10.0.9.2")), (1, asked("10.0.9.2"))]
    before = [(2 * day + minute, asked("10.0.9.3")) for minute in range(5)]

    assert observe(told(web, *before), AT).resolver == "10.0.9.3"
    assert observe(told(web, *before, *lately), AT).resolver == "10.0.9.2"


def test_a_lake_without_dns_has_no_resolver(told: Told) -> None:
    assert observe(told((9, snapshot("web", "172.20.0.2"))), AT).resolver == ""


def test_a_workload_speaks_as_it_does_most_often(told: Told, tmp_path: Path) -> None:
    """And goes where it goes; another's manners are not its own."""
    said = [spoke("172.20.0.2", "curl/8", server="b.example"), spoke("172.20.0.2", "own/1"),
            spoke("172.20.0.2", "own/1", server="c.example"), spoke("172.20.0.3", "other/2")]  # fmt: skip
    lake = told((99, snapshot("web", "172.20.0.2")), (99, snapshot("api", "172.20.0.3")), *((5, row) for row in said))

    world = recorded(observe(lake, AT), tmp_path / "out", AT + timedelta(days=1), seed=1)

    api, web = world.services
    assert (web.client.agent, api.client.agent) == ("own/1", "other/2")
    assert {site.name for site, _ in web.sites} == {"a.example", "b.example", "c.example"}
    assert {site.name for site, _ in api.sites} == {"a.example"}


def test_the_own_registry_stands_for_the_one_scenarios_speak_of(told: Told, tmp_path: Path) -> None:
    public = {"image_registry": "docker.io", "image": "nginx:1", "image_repository": "nginx"}
    lake = told(
        (9, snapshot("web", "172.20.0.2")),
        (9, snapshot("one", "172.20.0.3", **public)), (9, snapshot("two", "172.20.0.4", **public)),
        (5, spoke("10.0.0.1", "docker/27", "10.7.7.7", "registry.own.example")),
    )  # fmt: skip

    estate = observe(lake, AT)
    world = recorded(estate, tmp_path / "out", AT + timedelta(days=1), seed=1)

    assert (estate.registry, estate.registry_addresses) == ("registry.own.example", ("10.7.7.7",))
    assert world.names.put(f"{HOST}/platform/backup:2".encode()) == b"registry.own.example/platform/backup:2"
    assert world.outside.registries[HOST].addresses == ("10.7.7.7",)


@pytest.fixture(scope="module")
def observed(estate: Estate) -> Observed:
    return observe(estate.lake, estate.until)


def test_a_reader_finds_the_same_workloads_again(observed: Observed, tmp_path: Path) -> None:
    """Names, labels and images that are made up for a container make its own workload: compose, swarm and plain."""
    world = recorded(observed, tmp_path, observed.at + timedelta(days=1), seed=1)

    assert len(world.services) > 8
    for service in world.services:
        assert {workload_of(container) for container in service.containers} == {service.workload}


def test_what_is_played_is_of_the_estate(estate: Estate, observed: Observed, tmp_path: Path) -> None:
    """Whom a label names is there, shows it in its time, and asks the own resolver; a seed gives the same again."""
    until = observed.at + timedelta(days=1)
    chosen = [(library()[name], "high") for name in ("N01", "N07", "E01", "D01")]
    told = [played(recorded(observed, tmp_path / out, until, seed=3), chosen) for out in "ab"]

    assert told[0] == told[1]
    assert {path.name for path in (tmp_path / "a" / "watch").iterdir()} > {"conn.2026-09-09.log"}
    for path in (tmp_path / "a" / "watch").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "watch" / path.name).read_bytes()
    added = pl.concat([batch.events for batch in read_events([tmp_path / "a" / "watch"])])
    events = pl.concat([estate.lake.read(), added])
    events = attribute(events, build_leases(events)).filter(pl.col("event_id").is_in(added["event_id"].implode()))
    assert {attack.scenario for attack in told[0].attacks} == {"N01", "N07", "E01", "D01"}
    for attack in told[0].attacks:
        begin, end = (datetime.fromisoformat(text) for text in (attack.start, attack.end))
        assert observed.at < begin < end < until
        for workload in attack.workloads:
            if workload.startswith("docker:"):
                shown = events.filter((pl.col("workload") == workload) & pl.col("ts").is_between(begin, end))
                assert not shown.is_empty(), (attack.scenario, workload)
    assert set(events.filter(pl.col("kind") == "dns")["dst_ip"]) == {observed.resolver}


def test_what_cannot_be_played_says_why() -> None:
    reasons = {name: playable(scenario) for name, scenario in library().items()}

    assert "chains" in reasons["C01"]
    assert "Kubernetes" in reasons["E04"]
    assert "settings" in reasons["D04"]
    assert sum(not why for why in reasons.values()) > len(reasons) / 2
