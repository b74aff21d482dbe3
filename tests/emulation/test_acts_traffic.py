"""What the acts of the network promise, read back through the product's own reader and attributed by its leases."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.ingest import read_events
from features.leases import attribute, build_leases
from features.protocols import specs
from service.emulation.estate import campaign, changes, zeek
from service.emulation.estate.__main__ import make
from service.emulation.estate.cast import Cast
from service.emulation.estate.engine import Spec
from service.emulation.estate.play import ACTS, play
from service.emulation.estate.speaking import beat
from service.emulation.estate.wire import RESOLVER
from service.emulation.estate.world import HOUR, MINUTE, Options, World
from service.emulation.scenario import Scenario, Variant, Victim, library
from service.emulation.steps import Beacon, Contact, Echo, Lookups, Pull, Relay, Run, Scan, Session, Upload

START = datetime(2026, 9, 7, tzinfo=UTC).timestamp()
NETWORK = [name for name in library() if name.startswith("N")]
PLAYED: tuple[Variant, ...] = ("high", "dampened")


@dataclass
class Played:
    """A scenario that was played, and what the product makes of the estate's telemetry."""

    cast: Cast
    events: pl.DataFrame

    def between(self) -> pl.DataFrame:
        """Return what the workloads of the label did while it lasted."""
        label = self.cast.label(1)
        begin, end = (datetime.fromisoformat(text) for text in (label.start, label.end))
        during = pl.col("ts").is_between(begin, end, closed="both")
        return self.events.filter(during & pl.col("workload").is_in(label.workloads))

    def flows(self, step: Any) -> pl.DataFrame:
        """Return the flows that go to the site of a step."""
        addresses = self.cast.sites[step.to].addresses
        return self.between().filter((pl.col("kind") == "flow") & pl.col("dst_ip").is_in(addresses))


def _world(folder: Path) -> World:
    """Make an estate in which nobody releases anything, and nobody else attacks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "schedule", lambda _: None)
        patch.setattr(campaign, "schedule", lambda _: None)
        return make(Options(folder, START, days=2, learn_days=1, workloads=12, flows=5_000))


def _read(world: World) -> pl.DataFrame:
    """Run the estate without its steady traffic, and read it as the product does."""
    for day in range(world.options.days):
        world.run_until(START + (day + 1) * 24 * HOUR)
        world.sink.flush(day)
    batches = list(read_events([world.options.out]))
    assert not [reject for batch in batches for reject in batch.rejects]
    events = pl.concat([batch.events for batch in batches])
    return attribute(events, build_leases(events))


def _pull(cast: Cast, now: float, step: Pull) -> None:
    cast.world.pull(cast.host, step.image, now)


def _run(cast: Cast, now: float, step: Run) -> None:
    cast.leave(Spec(step.image, command=list(step.command), settings=step.settings), now)


@pytest.fixture(autouse=True, scope="module")
def containers() -> Iterator[None]:
    """Begin footholds plainly: how containers come to be is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ACTS, Pull, _pull)
        patch.setitem(ACTS, Run, _run)
        yield


@pytest.fixture(scope="module", params=PLAYED)
def estate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Every network scenario in one variant, all begun within an hour and a half of the second day."""
    world, casts = _world(tmp_path_factory.mktemp("traffic")), {}

    def begin(world: World, now: float, name: str) -> None:
        casts[name] = play(world, now, library()[name], request.param)

    for number, name in enumerate(NETWORK):
        world.at(START + 24 * HOUR + (30 + 4 * number) * MINUTE, begin, name)
    events = _read(world)
    return {name: Played(cast, events) for name, cast in casts.items()}


def _is_about(found: float, promised: float, low: float = 0.6, high: float = 1.5) -> None:
    assert low * promised <= found <= high * promised


def _checks_in(played: Played, step: Beacon) -> None:
    site = played.cast.sites[step.to]
    if step.transport == "dns_over_https":
        flows = played.between().filter((pl.col("kind") == "flow") & pl.col("dst_ip").is_in(["8.8.8.8", "8.8.4.4"]))
        flows = flows.filter(pl.col("dst_port") == 443)
    else:
        flows = played.flows(step).filter(
            pl.col("dst_port") == (step.port or (80 if step.transport == "http" else site.port))
        )
    if step.name:  # others may speak with the site whose name is borrowed, nobody with this address
        told = played.events.filter((pl.col("kind") == "dns") & (pl.col("query") != site.name))
        assert not set(site.addresses) & set(told["answers"].explode().drop_nulls())
    flows = flows.filter(pl.col("bytes_out").is_between(step.sent, step.sent + 30))
    _is_about(len(flows), step.lasting / step.period, 0.4)
    assert flows["bytes_in"].is_between(step.received, step.received + 60).all()
    _speaks(played, step, flows)


def _speaks(played: Played, step: Beacon, flows: pl.DataFrame) -> None:
    said = played.events.filter(pl.col("uid").is_in(flows["uid"].implode()) & (pl.col("kind") != "flow"))
    if step.transport == "raw":
        assert flows["service"].is_null().all()
        assert said.is_empty()
        return
    assert len(said) == len(flows)
    assert set(flows["service"]) == {"http" if step.transport == "http" else "ssl"}
    if step.transport == "fake_tls":
        assert said["server_name"].is_null().all()
        assert not said["established"].any()
    elif step.transport == "http":
        assert set(said["uri"]) == {step.uri}
    if step.name not in {"", "own", "known"}:
        assert set(said["server_name"]) == {step.name}
    elif step.name:
        assert said["server_name"].n_unique() == 1
        assert said["server_name"][0] != played.cast.sites[step.to].name


def _holds(played: Played, step: Session) -> None:
    flows = played.flows(step).filter(pl.col("dst_port") == step.port).filter(pl.col("bytes_out") > step.sent / 3)
    assert len(flows) == step.count
    assert set(flows["proto"]) == {"udp" if step.transport == "udp" else "tcp"}
    assert set(flows["service"]) == {"ssl" if step.transport == "tls" else step.service or None}
    _is_about(flows["duration"].mean(), step.seconds)
    _is_about(flows["bytes_out"].mean(), step.sent, 0.5, 2.0)
    _is_about(flows["bytes_in"].mean(), step.received, 0.5, 2.0)


def _sends(played: Played, step: Upload) -> None:
    flows = played.flows(step).filter(pl.col("bytes_out") >= 0.9 * step.sent)
    assert len(flows) >= step.count
    _is_about(flows["bytes_out"].median(), step.sent)
    assert set(flows["service"]) == {"ssl"}


def _asks(played: Played, step: Lookups) -> None:
    zone = ".".join(played.cast.sites[step.to].name.split(".")[-2:])
    asked = played.between().filter((pl.col("kind") == "dns") & pl.col("query").str.ends_with(f".{zone}"))
    asked = asked.filter(pl.col("query") != played.cast.sites[step.to].name)
    _is_about(len(asked), step.per_hour * step.lasting / HOUR)
    assert set(asked["qtype"]) == {step.qtype}
    assert set(asked["dst_ip"]) == {RESOLVER if step.resolver == "system" else "8.8.8.8"}
    assert asked["query"].n_unique() >= 0.9 * len(asked)
    if step.answers == "none":
        assert set(asked["rcode"]) == {"NXDOMAIN"}
    if step.answers == "random":
        given = asked["answers"].explode().unique()
        assert played.between().filter((pl.col("kind") == "flow") & pl.col("dst_ip").is_in(given.implode())).is_empty()
    if step.labels != "words":
        assert asked["query"].str.split(".").list.first().str.len_chars().max() >= min(step.length, 40)
    assert (f"ip:{RESOLVER}" in played.cast.workloads) == (step.resolver == "system")


def _tries(played: Played, step: Scan) -> None:
    flows = played.between().filter((pl.col("kind") == "flow") & pl.col("dst_port").is_in(step.ports))
    flows = flows.filter(pl.col("bytes_out").is_in([0, 60]))
    _is_about(len(flows), step.per_minute * step.lasting / 60, 0.5)
    address = flows["src_ip"].mode()[0]
    silent = flows.filter((pl.col("conn_state") == "S0") & (pl.col("src_ip") == address))
    assert not silent["dst_ip"].str.starts_with(address.rsplit(".", 1)[0] + ".").any()
    failed = flows["conn_state"].is_in(["S0", "REJ"]).mean()
    assert failed < 0.4 if step.answered > 0.5 else failed > 0.8
    assert len(played.cast.workloads) == 1


def _echoes(played: Played, step: Echo) -> None:
    flows = played.flows(step)
    assert set(flows["proto"]) == {"icmp"}
    assert set(flows["src_port"]) == {8}
    assert set(flows["dst_port"]) == {0}
    assert flows["service"].is_null().all()
    _is_about(flows["bytes_out"].sum(), step.payload * step.per_minute * step.lasting / 60, 0.8, 1.2)
    assert flows["bytes_out"].equals(flows["bytes_in"])


def _relays(played: Played, step: Relay) -> None:
    flows = played.between().filter((pl.col("kind") == "flow") & pl.col("dst_ip").str.starts_with("198.19."))
    assert len(flows) == step.hosts
    assert flows["dst_ip"].n_unique() > 0.9 * step.hosts
    _is_about(flows["bytes_in"].sum() / flows["bytes_out"].sum(), 1.0, 0.8, 1.2)


def _meets(played: Played, step: Contact) -> None:
    met = {s.workload for s in played.cast.world.role(step.peer)} & set(played.cast.workloads[1:])
    if f"no {step.peer} to meet" in played.cast.notes:
        assert not met
        return
    flows = played.between().filter((pl.col("kind") == "flow") & pl.col("peer").is_in(met))
    assert len(flows.filter(pl.col("workload") == played.cast.workloads[0])) >= step.count
    assert len(met) == 1


CHECKS: dict[type, Callable[[Played, Any], None]] = {
    Beacon: _checks_in, Session: _holds, Upload: _sends, Lookups: _asks, Scan: _tries, Echo: _echoes, Relay: _relays,
    Contact: _meets,
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORK)
def test_every_step_leaves_what_it_promises_under_the_workload_of_the_label(
    estate: dict[str, Played], name: str
) -> None:
    played = estate[name]
    steps = [s for s in played.cast.scenario.played(played.cast.variant) if type(s) in CHECKS]
    assert steps
    for step in steps:
        CHECKS[type(step)](played, step)


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
    world, casts = _world(tmp_path_factory.mktemp("alone")), {}

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
    events = _read(world)
    return {name: Played(cast, events) for name, cast in casts.items()}


def test_a_beacon_ends_with_the_container_that_carries_it(alone: dict[str, Played]) -> None:
    played = alone["beacon"]
    addresses = played.cast.sites["controller"].addresses
    flows = played.events.filter((pl.col("kind") == "flow") & pl.col("dst_ip").is_in(addresses))

    _is_about(len(flows), REPLACED["beacon"] / 60, 0.85, 1.15)
    assert set(flows["workload"]) == {"docker:shop/api"}
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
    assert flows.rows() == [("docker:shop/web", 22, 3), (address, 2375, 5)]
    assert set(played.cast.workloads) >= {"docker:shop/web", address}
    asked = came.filter(pl.col("kind") == "http").sort("ts")
    assert asked["uri"].to_list() == ["/_ping", "/version", "/containers/create", "/_ping", "/version"]
    assert asked["method"].to_list() == ["GET", "GET", "POST", "GET", "GET"]


def test_the_metadata_address_is_asked_over_http(alone: dict[str, Played]) -> None:
    events = alone["metadata"].events

    asked = events.filter((pl.col("kind") == "http") & (pl.col("dst_ip") == "169.254.169.254"))

    assert set(asked["workload"]) == {"docker:shop/db"}
    assert asked["uri"].to_list() == [METADATA] * 4
    assert set(asked["user_agent"]) == {"curl/7.58.0"}


def test_a_pod_speaks_with_the_kubelet_of_its_node(alone: dict[str, Played]) -> None:
    pod, node = alone["node"].cast.workloads
    flows = alone["node"].events.filter((pl.col("kind") == "flow") & (pl.col("dst_port") == 10250))

    assert pod.startswith("k8s:")
    assert set(flows["workload"]) == {pod}
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
    row = dict.fromkeys(zeek.CONN, 0) | {"ts": 1.0, "uid": "C1", "proto": "icmp", "service": None, "history": None}
    row |= {"duration": 1.5, "id.orig_h": "10.21.0.2", "id.resp_h": "203.0.113.9", "id.orig_p": 8, "conn_state": "OTH"}
    rows = [[row[field] for field in zeek.CONN]]
    logs = {"conn.log": zeek.header("conn", "") + zeek.tsv(rows), "conn.json": zeek.json_lines("conn", rows)}

    for name, text in logs.items():
        assert "None" not in text
        (tmp_path / name).write_text(text)

        (batch,) = read_events([tmp_path / name])
        assert not batch.rejects
        assert batch.events.select("proto", "service", "src_port", "dst_port").rows() == [("icmp", None, 8, 0)]


def test_the_scenarios_that_a_real_engine_can_show_are_those_observed_on_one() -> None:
    live = {name for name in NETWORK if library()[name].live}

    assert live == {f"N{number:02d}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17)}


@pytest.mark.parametrize("name", NETWORK)
def test_reasons_are_features_of_the_families_expected(name: str) -> None:
    scenario = library()[name]

    assert set(scenario.reasons) <= set(specs())
    assert {reason.split(".")[0] for reason in scenario.reasons} == set(scenario.families)
    assert scenario.techniques
