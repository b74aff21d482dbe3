from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec import structs

from service.emulation.estate import chains
from service.emulation.estate.__main__ import arguments, make
from service.emulation.estate.acts_requests import ask
from service.emulation.estate.cast import Cast
from service.emulation.estate.chains import play_chain, span
from service.emulation.estate.engine import Spec
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.world import HOUR, World
from service.emulation.scenario import Levels, Scenario, ScenarioError, Stage, Victim, library
from service.emulation.steps import Audit, Beacon, Exec, Run, Upload

pytestmark = pytest.mark.slow

PULLED = Scenario(
    id="I01", name="", summary="", techniques=("T1610",), victim=Victim(kind="host"),
    sites={"controller": {"kind": "stranger", "port": 80}}, parameters={"delay": Levels(low=7200, middle=60, high=2)},
    steps=({"do": "run", "image": "evil/tool:latest", "at": "$delay"},),
)  # fmt: skip
BEACON = Scenario(
    id="N01", name="", summary="", techniques=("T1071.001",), sites={"controller": {"kind": "stranger", "port": 443}},
    parameters={"period": Levels(low=3600, middle=900, high=60)},
    steps=(
        {"do": "run", "image": "of/its-own:latest"},
        {"do": "beacon", "to": "controller", "period": "$period", "lasting": 3600},
    ),
)  # fmt: skip
FRONTED = structs.replace(BEACON, id="N05", steps=BEACON.steps[1:])
DRIP = Scenario(
    id="N18", name="", summary="", techniques=("T1029",), sites={"bucket": {"kind": "bucket"}},
    victim=Victim(roles=("worker",)), steps=({"do": "upload", "to": "bucket", "sent": 9, "count": 1},),
)  # fmt: skip


@dataclass
class Heard:
    """Every step that was performed: when, by which cast, on which container."""

    acts: list[tuple[float, Cast, Any, Any]] = field(default_factory=list)

    def of(self, kind: type) -> list[tuple[float, Cast, Any, Any]]:
        return [act for act in self.acts if isinstance(act[2], kind)]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("chains")
    world = make(arguments(["--out", str(folder), "--workloads", "40", "--days", "4", "--learn-days", "2"]))
    world.run_until(world.options.start + 600)
    return world


@pytest.fixture
def world(started: World) -> Iterator[World]:
    """A running estate in which nothing else is going to happen."""
    started._queue.clear()
    for service in [*started.services, *started.cluster.services]:
        service.attacked, service.frozen_until = False, 0.0
    started.ledger.lookalikes.clear()
    yield started
    started._queue.clear()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Acts that only say who did what; a run leaves a foothold as the true one does."""
    heard = Heard()

    def note(cast: Cast, now: float, step: Any) -> None:
        if isinstance(step, Run):
            heard.acts.append((now, cast, step, cast.leave(Spec(step.image, "left"), now)))
            return
        container = cast.container(step.on)
        cast.address(step.on)
        cast.lasts(now + 100)
        heard.acts.append((now, cast, step, container))

    acts = dict.fromkeys((Run, Beacon, Upload, Exec), note)
    monkeypatch.setattr("service.emulation.estate.play.ACTS", {**acts, Audit: ask})
    monkeypatch.setattr(
        chains, "library", lambda: {**library(), "I01": PULLED, "N01": BEACON, "N05": FRONTED, "N18": DRIP}
    )
    return heard


def chain(*stages: Stage, **more: Any) -> Scenario:
    return Scenario(id="C99", name="", summary="", techniques=("T1610",), stages=stages, **more)


HOST = Victim(kind="host")


def test_a_stage_on_the_foothold_waits_for_it_and_makes_none_of_its_own(world: World, heard: Heard) -> None:
    late = chain(
        Stage(scenario="I01"), Stage(scenario="N01", at=60, on="foothold"),
        Stage(scenario="N18", at=660, on="foothold"), victim=HOST,
    )  # fmt: skip
    play_chain(world, world.options.watch, late, "low")
    world.run_until(world.options.end)
    ((ran, _, step, container),) = heard.of(Run)
    ((beaten, cast, _, where),) = heard.of(Beacon)
    assert step.image == "evil/tool:latest"
    assert where is container
    assert container.started < beaten <= ran + 61
    ((sent, *_),) = heard.of(Upload)
    assert 500 < sent - beaten < 700
    assert cast.address("foothold") == container.address


@pytest.mark.usefixtures("heard")
def test_stages_share_an_adversarys_site_at_their_own_ports(world: World) -> None:
    both = chain(Stage(scenario="I01"), Stage(scenario="N01", at=60, on="foothold"), victim=HOST)
    cast = play_chain(world, world.options.watch, both, "high")
    world.run_until(world.options.end)
    first, second = (part.sites["controller"] for part in cast.parts)
    assert (first.name, first.addresses) == (second.name, second.addresses)
    assert (first.port, second.port) == (80, 443)


@pytest.mark.usefixtures("heard")
def test_a_chain_has_one_label_of_all_who_show_it_and_each_stage_its_own(world: World) -> None:
    both = chain(Stage(scenario="I01"), Stage(scenario="N18", at=600, on="other"), victim=HOST)
    cast = play_chain(world, world.options.watch, both, "high")
    world.run_until(world.options.end)
    own, *parts = cast.labels(7)
    assert (own.id, own.scenario, own.chain) == ("A007", "C99", "")
    assert [(part.id, part.scenario, part.chain) for part in parts] == [
        ("A007.1", "I01", "A007"),
        ("A007.2", "N18", "A007"),
    ]
    assert set(own.workloads) == {workload for part in parts for workload in part.workloads}
    assert own.start == min(part.start for part in parts)
    assert parse_iso(own.end) >= max(parse_iso(part.end) for part in parts) - 60


@pytest.mark.usefixtures("heard")
def test_a_decoy_and_what_it_hides_are_on_two_workloads(world: World) -> None:
    two = chain(Stage(scenario="N18"), Stage(scenario="N18", on="other"), victim=Victim(roles=("worker",)))
    cast = play_chain(world, world.options.watch, two, "high")
    world.run_until(world.options.end)
    first, second = (part.label(1).workload for part in cast.parts)
    assert first != second


def test_every_replica_speaks_with_the_same_place(world: World, heard: Heard) -> None:
    victim = Victim(roles=("web", "api", "worker"), replicated=True)
    cast = play_chain(world, world.options.watch, chain(Stage(scenario="N05", on="replicas"), victim=victim), "high")
    world.run_until(world.options.end)
    spoke = heard.of(Beacon)
    assert cast.victim is not None
    assert [container for _, _, _, container in spoke] == cast.victim.containers
    assert len(spoke) > 1
    assert len({who.sites["controller"].addresses for _, who, _, _ in spoke}) == 1
    assert cast.labels(1)[1].workloads == (cast.victim.workload,)


def test_a_chain_longer_than_the_estate_is_hurried(world: World, heard: Heard) -> None:
    slow = chain(
        Stage(scenario="I01", parameters={"delay": 9 * 86_400}), Stage(scenario="N18", at=86_400 * 20, on="foothold"),
        victim=HOST,
    )  # fmt: skip
    assert span(slow, "high") > 20 * 86_400
    begin = world.options.watch + 5 * HOUR
    play_chain(world, begin, slow, "high")
    world.run_until(world.options.end)
    ((ran, *_),), ((sent, *_),) = heard.of(Run), heard.of(Upload)
    assert begin < ran < sent < world.options.end - HOUR
    # half as late in the chain, half as late here
    assert (ran - begin) / (sent - begin) == pytest.approx(9 / 20, rel=0.01)


def test_a_chain_may_set_parameters_of_its_stages(world: World, heard: Heard) -> None:
    rare = chain(Stage(scenario="N01", parameters={"period": 21_600}), victim=Victim(roles=("web",)))
    play_chain(world, world.options.watch, rare, "high", draw=lambda _, value: value)
    world.run_until(world.options.end)
    assert [step.period for _, _, step, _ in heard.of(Beacon)] == [21_600]


def test_stages_that_there_are_not_are_refused(world: World) -> None:
    with pytest.raises(ScenarioError, match="C99: there is no scenario N99"):
        play_chain(world, world.options.watch, chain(Stage(scenario="N99")), "high")
    with pytest.raises(ScenarioError, match="C99: nothing plays the lookalike B99"):
        play_chain(world, world.options.watch, chain(Stage(lookalike="B99")), "high")


@pytest.mark.usefixtures("heard")
def test_one_person_and_one_token_go_through_the_chain_of_requests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        world.sink,
        "json",
        lambda stream, _, record: (
            asked.append((record["user"]["username"], record["objectRef"]["resource"]))
            if stream == "k8s-audit"
            else None
        ),
    )
    cast = play_chain(world, world.options.watch + 60, library()["C05"], "high")
    world.run_until(world.options.end)
    people = {who for who, _ in asked if "@" in who}
    assert len(people) == 1
    assert {"pods", "secrets", "daemonsets"} <= {what for _, what in asked}
    assert {f"k8s-actor:{who}" for who in people} <= set(cast.label(1).workloads)
    assert [part.scenario.id for part in cast.parts] == ["E03", "E04", "E10"]


def test_the_benign_chains_are_labelled_benign_and_leave_what_healthy_people_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Any]] = []
    monkeypatch.setattr(world.sink, "json", lambda stream, _, record: seen.append((stream, record)))
    release = play_chain(world, world.options.watch + 9 * HOUR, library()["C09"], "high")
    incident = play_chain(world, world.options.watch + 9 * HOUR, library()["C10"], "high")
    assert release.victim is not None
    before = release.victim.tag
    world.run_until(world.options.end)
    assert release.victim.tag != before
    assert release.victim.heartbeat is not None
    acts = {(label.kind, label.act, label.workload) for label in world.ledger.lookalikes}
    assert ("B2", "release", release.victim.workload) in acts
    assert ("B9", "heartbeat", release.victim.workload) in acts
    assert any(act == "cron_backup" for _, act, _ in acts)
    assert incident.victim is not None
    assert ("B14", "incident_response", incident.victim.workload) in acts
    name = incident.victim.containers[0].name
    actions = [
        record["Action"].split(":")[0]
        for stream, record in seen
        if stream.startswith("events-") and record["Actor"]["Attributes"].get("name") == name
    ]
    assert {"exec_create", "archive-path", "extract-to-dir", "update", "die", "start"} <= set(actions)
    for cast in (release, incident):
        assert [label.benign for label in cast.labels(1)] == [True]


def test_every_chain_is_made_of_what_there_is() -> None:
    found = {identity: scenario for identity, scenario in library().items() if identity.startswith("C")}
    assert list(found) == [f"C{number:02d}" for number in range(1, 11)]
    for scenario in found.values():
        for variant in ("low", "high", "dampened"):
            assert span(scenario, variant) >= HOUR
        assert scenario.benign is (scenario.id in {"C09", "C10"})
