from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.protocols import specs
from features.sources.kubernetes_audit import source
from service.emulation.estate.__main__ import arguments, make
from service.emulation.estate.acts_requests import ACTS
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.play import play
from service.emulation.estate.world import World
from service.emulation.labels import Attack
from service.emulation.scenario import Variant, library
from service.emulation.steps import Contact

pytestmark = pytest.mark.slow

PERSON, ACCOUNT, ANONYMOUS = (
    "k8s-actor:bob@corp.example",
    "k8s-actor:system:serviceaccount:payments:",
    "k8s-actor:system:anonymous",
)
# scenario, variant: who, what they asked for, and with which status the API server answered
ASKED: list[tuple[str, Variant, str, str, int]] = [
    ("E03", "high", PERSON, "get pods/exec", 101),
    ("E03", "high", ACCOUNT, "list secrets", 403),
    ("E03", "dampened", ACCOUNT, "list pods", 200),
    ("E04", "high", ACCOUNT, "list secrets", 200),
    ("E04", "dampened", ACCOUNT, "get secrets", 200),
    ("E05", "high", ACCOUNT, "create selfsubjectaccessreviews", 201),
    ("E05", "high", ACCOUNT, "list nodes", 403),
    ("E05", "dampened", ACCOUNT, "list pods", 403),
    ("E06", "high", ANONYMOUS, "list pods", 403),
    ("E06", "high", ACCOUNT, "get nodes/proxy", 200),
    ("E09", "high", PERSON, "create clusterrolebindings", 201),
    ("E09", "high", PERSON, "update certificatesigningrequests/approval", 200),
    ("E09", "dampened", PERSON, "create serviceaccounts/token", 201),
    ("E10", "high", PERSON, "create daemonsets", 201),
    ("E10", "high", "k8s-actor:system:serviceaccount:kube-system:daemon-set-controller", "create pods", 201),
    ("E10", "dampened", PERSON, "create cronjobs", 201),
    ("E11", "high", PERSON, "create pods", 201),
    ("E11", "high", PERSON, "create pods/exec", 101),
    ("E11", "dampened", PERSON, "patch pods/ephemeralcontainers", 200),
]  # fmt: skip


@dataclass
class Played:
    """A scenario's label, and every row that the product reads from the audit it left."""

    label: Attack
    rows: list[dict[str, Any]]
    written: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kind"] == kind]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An estate whose pods are up, with nothing else about to happen, and one person beside the administrator."""
    folder = tmp_path_factory.mktemp("requests")
    made = make(arguments(["--out", str(folder), "--workloads", "40", "--days", "4", "--learn-days", "2"]))
    made.run_until(made.options.start + 600)
    made._queue.clear()
    made.cluster.people = made.cluster.people[:2]
    return made


def played(world: World, scenario: str, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> Played:
    written: list[dict[str, Any]] = []

    def keep(_: str, __: float, record: Any) -> None:
        written.append(msgspec.json.decode(msgspec.json.encode(record)))

    monkeypatch.setattr(world.sink, "json", keep)
    monkeypatch.setattr(
        "service.emulation.estate.play.ACTS", {**ACTS, Contact: lambda cast, *_: cast.shows(cast.victim.workload)}
    )
    cast = play(world, world.options.watch + 3_600, library()[scenario], variant)
    world.run_until(world.options.end)
    return Played(cast.label(1), [row for record in written for row in source.parse(record, None)], written)


@pytest.mark.parametrize(("scenario", "variant", "who", "asked", "status"), ASKED)
def test_the_product_reads_who_asked_for_what_within_the_span_of_the_label(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    *,
    scenario: str,
    variant: Variant,
    who: str,
    asked: str,
    status: int,
) -> None:
    seen = played(world, scenario, variant, monkeypatch)
    matching = [
        row
        for row in seen.of("audit")
        if row["actor"].startswith(who) and f"{row['action']} {row['resource']}" == asked and row["status"] == status
    ]
    assert matching
    first, last = (parse_iso(moment) for moment in (seen.label.start, seen.label.end))
    assert all(first <= row["ts"] / 1e6 <= last + 1 for row in seen.rows)
    assert "daemon-set" in who or matching[0]["actor"] in seen.label.workloads


def test_a_stolen_token_is_read_through_exec_in_the_pod_and_used_from_outside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = played(world, "E03", "high", monkeypatch)
    (session,) = seen.of("exec")
    assert session["command"] == "cat /var/run/secrets/kubernetes.io/serviceaccount/token"
    assert session["workload"] in seen.label.workloads
    used = [row for row in seen.of("audit") if row["actor"].startswith(ACCOUNT)]
    addresses = {pod.address for service in world.cluster.services for pod in service.containers}
    assert {row["src_ip"] for row in used}.isdisjoint(addresses)
    assert len({row["src_ip"] for row in used}) == 1


def test_a_careful_thief_speaks_from_another_pod_and_runs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = played(world, "E03", "dampened", monkeypatch)
    assert not seen.of("exec")
    name = seen.label.workload.rsplit(":", 1)[-1]
    own = next(service for service in world.cluster.services if service.name == name)
    pods = {pod.address for service in world.cluster.services if service is not own for pod in service.containers}
    assert {row["src_ip"] for row in seen.of("audit")} <= pods


def test_all_secrets_at_once_are_asked_for_without_a_namespace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (record,) = played(world, "E04", "high", monkeypatch).written
    assert record["requestURI"] == "/api/v1/secrets?limit=500"
    assert "namespace" not in record["objectRef"]
    assert "requestObject" not in record


@pytest.mark.parametrize(("variant", "privileged"), [("high", True), ("dampened", False)])
def test_persistence_shows_the_configuration_it_asks_for(
    world: World, monkeypatch: pytest.MonkeyPatch, *, variant: Variant, privileged: bool
) -> None:
    seen = played(world, "E10", variant, monkeypatch)
    tokens = {token for row in seen.of("config") for token in row["config"]}
    assert ("Privileged=true" in tokens) is privileged
    assert ("Bind=/:/host:rw" in tokens) is privileged
    assert {row["workload"] for row in seen.of("config")} <= set(seen.label.workloads)


def test_a_debugging_pod_shows_the_node_and_is_deleted_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = played(world, "E11", "high", monkeypatch)
    (config,) = seen.of("config")
    assert {"Privileged=true", "PidMode=host", "NetworkMode=host"} <= set(config["config"])
    assert [row["action"] for row in seen.of("lifecycle")] == ["start", "destroy"]
    assert [row["command"] for row in seen.of("exec")] == ["chroot /host sh"]


def test_the_anonymous_are_not_authenticated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = played(world, "E06", "high", monkeypatch)
    anonymous = [record for record in seen.written if record["user"]["username"] == "system:anonymous"]
    assert {tuple(record["user"]["groups"]) for record in anonymous} == {("system:unauthenticated",)}


def test_what_cannot_be_seen_is_labelled_with_its_victim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = played(world, "E07", "high", monkeypatch)
    assert not seen.written
    assert seen.label.workload.startswith("docker:")
    assert library()["E07"].blind


def test_an_estate_without_a_namespace_refuses_requests(tmp_path: Path) -> None:
    small = make(arguments(["--out", str(tmp_path), "--workloads", "7", "--days", "2", "--learn-days", "1"]))
    with pytest.raises(LookupError, match="E04 needs a Kubernetes namespace"):
        play(small, small.options.watch, library()["E04"], "high")


def test_every_scenario_of_requests_names_only_features_that_there_are() -> None:
    for identity, scenario in library().items():
        if identity[0] in "EC":
            assert set(scenario.reasons) <= set(specs()), identity
