"""Who speaks, from which address and until when; and who is spoken to."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.ingest import read_events
from service.emulation.estate import zeek
from service.emulation.estate.play import play
from service.emulation.estate.speaking import beat
from service.emulation.estate.world import HOUR, World
from service.emulation.scenario import Scenario, Victim
from tests.emulation.playing import START, Played, is_about, quiet_world, read_back

pytestmark = pytest.mark.slow


def _scenario(*steps: dict[str, Any], victim: Victim) -> Scenario:
    sites = {"controller": {"kind": "stranger"}}
    return Scenario(id="N00", name="", summary="", techniques=("T1071",), victim=victim, sites=sites, steps=steps)


METADATA = "/latest/meta-data/iam/security-credentials/"
ALONE = {
    "beacon": _scenario(
        {"do": "beacon", "to": "controller", "transport": "raw", "period": 60, "lasting": 4 * HOUR},
        victim=Victim(roles=("api",)),
    ),
    "session": _scenario(
        {"do": "session", "to": "controller", "port": 4444, "seconds": 7200, "sent": 1_000_000, "received": 10_000},
        victim=Victim(roles=("worker",)),
    ),
    "inbound": _scenario(
        {"do": "inbound", "to": "controller", "port": 2375, "uris": ["/_ping", "/version", "/containers/create"]},
        {"do": "inbound", "to": "controller", "port": 22, "on": "victim", "count": 3},
        victim=Victim(roles=("web",)),
    ),
    "metadata": _scenario(
        {"do": "contact", "peer": "metadata", "uri": METADATA, "client": "curl", "count": 4},
        victim=Victim(roles=("db",)),
    ),
    "node": _scenario({"do": "contact", "peer": "node"}, victim=Victim(kind="pod")),
}
REPLACED = {"beacon": 1.5 * HOUR, "session": 0.5 * HOUR}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """One scenario on each of several victims, from noon of the second day on; some lose their container meanwhile."""
    world, casts = quiet_world(tmp_path_factory.mktemp("alone")), {}

    def begin(world: World, now: float, name: str) -> None:
        casts[name] = play(world, now, ALONE[name], "middle")

    def replace(world: World, now: float, name: str) -> None:
        service = casts[name].victim
        assert service is not None
        world.retire(service, service.containers[0], now)
        world.launch(service, 0, now + 5)

    for name in ALONE:
        world.at(START + 36 * HOUR, begin, name)
        if name in REPLACED:
            world.at(START + 36 * HOUR + REPLACED[name], replace, name)
    events = read_back(world)
    return {name: Played(cast, events) for name, cast in casts.items()}


def workload_of(played: Played) -> str:
    """Name the victim as the estate writes it, with the names of its split."""
    victim = played.cast.victim
    assert victim is not None
    return played.cast.world.names.put(victim.workload.encode()).decode()


def test_a_beacon_ends_with_the_container_that_carries_it(alone: dict[str, Played]) -> None:
    played = alone["beacon"]
    addresses = played.cast.sites["controller"].addresses
    flows = played.events.filter((pl.col("kind") == "flow") & pl.col("dst_ip").is_in(addresses))

    is_about(len(flows), REPLACED["beacon"] / 60, 0.85, 1.15)
    assert set(flows["workload"]) == {workload_of(played)}
    assert flows["service"].is_null().all()
    end = datetime.fromisoformat(played.cast.label(1).end)
    assert abs((end - flows["ts"].max()).total_seconds()) < 3
    assert "ended with its container" in played.cast.label(1).note


def test_a_session_is_cut_when_its_container_goes(alone: dict[str, Played]) -> None:
    events = alone["session"].events

    (flow,) = events.filter((pl.col("kind") == "flow") & (pl.col("dst_port") == 4444)).to_dicts()

    assert flow["duration"] == pytest.approx(REPLACED["session"], abs=2)
    assert flow["bytes_out"] < 600_000
    assert flow["conn_state"] == "S1"


def test_who_comes_in_is_a_client_of_the_host_or_of_the_victim(alone: dict[str, Played]) -> None:
    played = alone["inbound"]
    address = f"ip:{played.cast.world.engines[played.cast.host].address}"

    came = played.events.filter(pl.col("src_ip").is_in(played.cast.sites["controller"].addresses))

    flows = came.filter(pl.col("kind") == "flow").group_by("peer", "dst_port").len().sort("dst_port")
    assert flows.rows() == [(workload_of(played), 22, 3), (f"host:{played.cast.host}", 2375, 5)]
    assert set(played.cast.workloads) >= {workload_of(played), address}
    asked = came.filter(pl.col("kind") == "http").sort("ts")
    assert asked["uri"].to_list() == ["/_ping", "/version", "/containers/create", "/_ping", "/version"]
    assert asked["method"].to_list() == ["GET", "GET", "POST", "GET", "GET"]


def test_the_metadata_address_is_asked_over_http(alone: dict[str, Played]) -> None:
    events = alone["metadata"].events

    asked = events.filter((pl.col("kind") == "http") & (pl.col("dst_ip") == "169.254.169.254"))

    assert set(asked["workload"]) == {workload_of(alone["metadata"])}
    assert asked["uri"].to_list() == [METADATA] * 4
    assert set(asked["user_agent"]) == {"curl/7.58.0"}


def test_a_pod_speaks_with_the_kubelet_of_its_node(alone: dict[str, Played]) -> None:
    pod, node = alone["node"].cast.workloads
    flows = alone["node"].events.filter((pl.col("kind") == "flow") & (pl.col("dst_port") == 10250))

    assert pod.startswith("k8s:")
    assert set(flows["workload"]) == {workload_of(alone["node"])}
    assert set(flows["peer"]) == {node}


def test_gaps_of_a_beat_are_what_was_asked_for() -> None:
    rng = np.random.default_rng(1)

    even, spread, exponential = (np.diff(beat(rng, 0, 600_000, 60, jitter)) for jitter in (0.0, 0.5, -1.0))

    assert np.allclose(even, 60)
    assert 30 <= spread.min() < 35
    assert 85 < spread.max() <= 90
    assert exponential.std() == pytest.approx(exponential.mean(), rel=0.05)
    assert exponential.mean() == pytest.approx(60, rel=0.05)


def test_echoes_have_no_history_in_either_form_of_the_log(tmp_path: Path) -> None:
    row = {"ts": 1.0, "uid": 1, "id.orig_h": "10.21.0.2", "id.orig_p": 8, "id.resp_h": "203.0.113.9", "id.resp_p": 0}
    row |= {"proto": "icmp", "service": None, "duration": 1.5, "orig_bytes": 0, "resp_bytes": 0, "conn_state": "OTH"}
    rows = zeek.complete("conn", pl.DataFrame([row | {"packets": 3}], schema=zeek.KEPT["conn"]), 1, {})
    logs = {
        "conn.log": zeek.header("conn", "") + zeek.tsv("conn", rows)[0] + "\n",
        "conn.json": zeek.json_lines("conn", rows)[0] + "\n",
    }

    for name, text in logs.items():
        assert "None" not in text
        (tmp_path / name).write_text(text)

        (batch,) = read_events([tmp_path / name])
        assert not batch.rejects
        assert batch.events.select("proto", "service", "src_port", "dst_port").rows() == [("icmp", None, 8, 0)]
