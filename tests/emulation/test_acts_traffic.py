"""What the acts of the network promise, read back through the product's own reader and attributed by its leases."""

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from features.protocols import specs
from service.emulation.estate.cast import Cast
from service.emulation.estate.engine import Spec
from service.emulation.estate.play import ACTS, play
from service.emulation.estate.wire import RESOLVER
from service.emulation.estate.world import HOUR, MINUTE, World
from service.emulation.scenario import Variant, library
from service.emulation.steps import Beacon, Contact, Echo, Lookups, Pull, Relay, Run, Scan, Session, Upload
from tests.emulation.playing import START, Played, is_about, quiet_world, read_back

pytestmark = pytest.mark.slow

NETWORK = [name for name in library() if name.startswith("N")]
PLAYED: tuple[Variant, ...] = ("high", "dampened")


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
    world, casts = quiet_world(tmp_path_factory.mktemp("traffic")), {}

    def begin(world: World, now: float, name: str) -> None:
        casts[name] = play(world, now, library()[name], request.param)

    for number, name in enumerate(NETWORK):
        world.at(START + 24 * HOUR + (30 + 4 * number) * MINUTE, begin, name)
    events = read_back(world)
    return {name: Played(cast, events) for name, cast in casts.items()}


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
    is_about(len(flows), step.lasting / step.period, 0.4)
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
    is_about(flows["duration"].mean(), step.seconds)
    is_about(flows["bytes_out"].mean(), step.sent, 0.5, 2.0)
    is_about(flows["bytes_in"].mean(), step.received, 0.5, 2.0)


def _sends(played: Played, step: Upload) -> None:
    # the victim may send to its own sites besides
    flows = played.flows(step).filter(pl.col("bytes_out").is_between(0.9 * step.sent, 2 * step.sent))
    assert len(flows) >= step.count
    is_about(flows["bytes_out"].median(), step.sent)
    assert set(flows["service"]) == {"ssl"}


def _asks(played: Played, step: Lookups) -> None:
    zone = ".".join(played.cast.sites[step.to].name.split(".")[-2:])
    asked = played.between().filter((pl.col("kind") == "dns") & pl.col("query").str.ends_with(f".{zone}"))
    asked = asked.filter(pl.col("query") != played.cast.sites[step.to].name)
    is_about(len(asked), step.per_hour * step.lasting / HOUR)
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
    flows = flows.filter(pl.col("bytes_out").fill_null(0).is_in([0, 60]))
    is_about(len(flows), step.per_minute * step.lasting / 60, 0.5)
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
    is_about(flows["bytes_out"].sum(), step.payload * step.per_minute * step.lasting / 60, 0.8, 1.2)
    assert flows["bytes_out"].equals(flows["bytes_in"])


def _relays(played: Played, step: Relay) -> None:
    flows = played.between().filter((pl.col("kind") == "flow") & pl.col("dst_ip").str.starts_with("198.19."))
    assert len(flows) == step.hosts
    assert flows["dst_ip"].n_unique() > 0.9 * step.hosts
    is_about(flows["bytes_in"].sum() / flows["bytes_out"].sum(), 1.0, 0.8, 1.2)


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


def test_the_scenarios_that_a_real_engine_can_show_are_those_observed_on_one() -> None:
    live = {name for name in NETWORK if library()[name].live}

    assert live == {f"N{number:02d}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17)}


@pytest.mark.parametrize("name", NETWORK)
def test_reasons_are_features_of_the_families_expected(name: str) -> None:
    scenario = library()[name]

    assert set(scenario.reasons) <= set(specs())
    assert {reason.split(".")[0] for reason in scenario.reasons} == set(scenario.families)
    assert scenario.techniques
