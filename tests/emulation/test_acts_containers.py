"""Every scenario of images and deployment leaves what the catalogue says, under the names it is labelled with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from features.ingest import read_events
from features.leases import LEASE_COLUMNS, LEASE_KINDS, attribute, build_leases
from service.emulation.estate.__main__ import make
from service.emulation.estate.acts_containers import ACTS
from service.emulation.estate.cast import Cast
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.play import play
from service.emulation.estate.world import HOUR, Options, World
from service.emulation.labels import Attack
from service.emulation.scenario import VARIANTS, Variant, library

pytestmark = pytest.mark.slow

IDS = [name for name in library() if name[0] in "ID"]

# What the catalogue promises of the loud variant: kind/action of events, and tokens of the configuration.
RUN = {"lifecycle/create", "lifecycle/network_connect", "lifecycle/start", "config/inspect"}
ENDED = {"lifecycle/die", "lifecycle/network_disconnect", "lifecycle/destroy"}
REPLACED = RUN | ENDED | {"lifecycle/kill", "lifecycle/stop"}
PROMISED: dict[str, set[str]] = {
    "I01": RUN | {"pull/pull", "tls/", "dns/", "RestartPolicy=always", "Entrypoint=/entry.sh"},
    "I02": RUN | {"pull/pull", "Image=docker.io/kazutod/tene"},
    "I03": REPLACED | {"image/tag", "image/push", "pull/pull", "image/registry_pull", "Entrypoint=/app/.init"},
    "I04": REPLACED | {"image/push", "pull/pull", "image/registry_pull"},
    "I05": RUN | ENDED | {"exec/attach", "image/tag", "http/", "Image=build", "Image=docker.io/local/base"},
    "I06": RUN | {"image/import", "image/tag", "Image=docker.io/local/rootfs"},
    "I07": REPLACED | {"exec/extract-to-dir", "lifecycle/pause", "image/tag", "lifecycle/commit", "lifecycle/unpause"},
    "I08": {"image/registry_pull", "tls/"},
    "D01": RUN | ENDED | {"pull/pull", "Privileged=true", "PidMode=host", "Bind=/:/host:rw", "MaskedPaths=none"},
    "D02": RUN | ENDED | {"pull/pull", "Privileged=true", "Bind=/:/mnt:rw", "exec/exec_create", "exec/exec_die"},
    "D03": RUN | {"pull/pull", "Bind=/:/mnt:rw", "NetworkMode=host", "RestartPolicy=always"},
    "D04": REPLACED
    | {"lifecycle/update", "CapAdd=SYS_ADMIN", "SecurityOpt=seccomp=unconfined", "PidMode=host"}
    | {"Bind=/etc:/host/etc:rw", "EnvKey=LD_PRELOAD"},
    "D05": {"lifecycle/update", "config/inspect", "PidsLimit=-1", "RestartPolicy=always"},
    "D06": {"pull/pull", "lifecycle/create", "lifecycle/start", "NetworkMode=container", "PidMode=container"},
    "D07": {"lifecycle/network_connect", "config/inspect"},
    "D08": RUN | ENDED | {"Device=/dev/vda", "Bind=/sys/fs/cgroup:/sys/fs/cgroup:rw", "CgroupnsMode=host"},
    "D09": REPLACED | {"Port=0.0.0.0:31337->9000/tcp", "PublishAllPorts=true"},
    "D10": {"lifecycle/kill", "lifecycle/die", "lifecycle/stop", "lifecycle/network_disconnect"},
    "D11": RUN | ENDED | {"lifecycle/rename"},
    "D12": RUN | ENDED | {"AutoRemove=true"},
}
# And what it says is not there.
ABSENT = {
    "D06": {"lifecycle/network_connect"},
    "I06": {"pull/pull", "image/registry_pull"},
    "I07": {"pull/pull", "image/push", "image/registry_pull"},
    "D04": {"pull/pull"},
    "D07": {"lifecycle/create"},
    "D08": {"pull/pull"},
}


Act = Callable[[World, float, Cast], None]


@dataclass(frozen=True)
class Played:
    cast: Cast
    label: Attack
    events: pl.DataFrame
    before: frozenset[str]

    @property
    def left(self) -> set[str]:
        """What the events say: kind/action, and tokens."""
        acts = {f"{kind}/{action or ''}" for kind, action in self.events.select("kind", "action").iter_rows()}
        acts |= {f"{kind}/" for kind in self.events["kind"]}
        return acts | set(self.events["config"].explode(empty_as_null=True, keep_nulls=False).drop_nulls())


def bare_world(folder: Path) -> World:
    """An estate in which nothing happens by itself, so that all telemetry is the scenario's."""
    world = make(Options(folder, parse_iso("2026-09-07T00:00:00Z"), days=2, learn_days=1, workloads=12, flows=5_000))
    world._queue.clear()
    return world


def run(
    folder: Path, name: str, variant: Variant, later: Act | None = None, steps: tuple[dict[str, Any], ...] = ()
) -> Played:
    """Play what happens to containers and images, or `steps`, and `later` five minutes after it began."""
    scenario, known = library()[name], {act.__struct_config__.tag for act in ACTS}
    scenario = msgspec.structs.replace(scenario, steps=steps or tuple(s for s in scenario.steps if s["do"] in known))
    world = bare_world(folder)
    cast = play(world, world.options.watch + HOUR, scenario, variant)
    before = frozenset(container.digest for container in (cast.victim.containers if cast.victim else ()))
    if later is not None:
        world.at(cast.begin + 300, later, cast)
    world.run_until(world.options.end)
    world.sink.close()
    batches = list(read_events([folder]))
    assert not [reject for batch in batches for reject in batch.rejects]
    every = pl.concat([batch.events for batch in batches])
    leases = build_leases(every.filter(pl.col("kind").is_in(LEASE_KINDS)).select(LEASE_COLUMNS))
    watch = datetime.fromtimestamp(world.options.watch, UTC)
    return Played(cast, cast.label(1), attribute(every, leases).filter(pl.col("ts") >= watch), before)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Variant], Played]:
    return {(name, v): run(tmp_path_factory.mktemp(f"{name}{v}"), name, v) for name in IDS for v in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", IDS)
def test_labels_name_exactly_who_shows_it(
    played: dict[tuple[str, Variant], Played], name: str, variant: Variant
) -> None:
    found = played[name, variant]
    labelled = {name for name in found.label.workloads if f"host:{found.cast.host}" != name}
    assert set(found.events["workload"].drop_nulls()) - {f"host:{found.cast.host}"} == labelled


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", IDS)
def test_all_telemetry_lies_within_the_label(
    played: dict[tuple[str, Variant], Played], name: str, variant: Variant
) -> None:
    found = played[name, variant]
    first, last = found.events["ts"].min(), found.events["ts"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    assert parse_iso(found.label.start) <= first.timestamp()
    assert last.timestamp() <= parse_iso(found.label.end) + 1  # labels count in seconds


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_the_loud_variant_leaves_what_the_catalogue_says(played: dict[tuple[str, Variant], Played], name: str) -> None:
    left = played[name, "high"].left
    assert PROMISED[name] - left == set()
    assert ABSENT.get(name, set()) & left == set()


def test_a_refused_start_is_created_and_taken_away_but_never_started(
    played: dict[tuple[str, Variant], Played],
) -> None:
    events = played["D02", "high"].events.filter(pl.col("kind") == "lifecycle").sort("ts")
    by_container = events.group_by("container_id").agg("action")
    refused = [actions for actions in by_container["action"].to_list() if "start" not in actions]
    assert refused == [["create", "network_connect", "network_disconnect", "destroy"]]


def test_a_rename_tells_the_old_name_and_the_workload_stays(played: dict[tuple[str, Variant], Played]) -> None:
    found = played["D11", "high"]
    renamed = found.events.filter(pl.col("action") == "rename")
    assert renamed["container_name"].to_list() == ["k8s_POD_kube-proxy-x2kqp_kube-system_0"]
    assert renamed["workload"].to_list() == [found.label.workload]
    assert renamed["name"].item()


def test_a_commit_pauses_the_container_and_names_the_tag(played: dict[tuple[str, Variant], Played]) -> None:
    events = played["I07", "high"].events.sort("ts")
    order = [a for a in events["action"] if a in {"extract-to-dir", "pause", "tag", "commit", "unpause"}]
    assert order == ["extract-to-dir", "pause", "tag", "commit", "unpause"]


def test_a_moved_tag_is_another_image_than_before(played: dict[tuple[str, Variant], Played]) -> None:
    found = played["I03", "high"]
    victim = found.cast.victim
    assert victim is not None
    digests = {container.digest for container in victim.containers}
    assert len(digests) == 1
    assert found.before & digests == set()
    pushed = found.events.filter((pl.col("action") == "push") & pl.col("user_agent").is_not_null())
    assert set(pushed["image_digest"]) == digests


def test_a_pull_is_the_hosts_if_nobody_runs_the_image_soon(played: dict[tuple[str, Variant], Played]) -> None:
    late, soon = played["I01", "middle"], played["I01", "high"]
    assert f"host:{soon.cast.host}" not in soon.label.workloads
    assert f"host:{late.cast.host}" in late.label.workloads


def speak(world: World, now: float, cast: Cast) -> None:
    world.wire.connections(np.array([now]), cast.address("foothold"), "203.0.113.9", 443, sizes=(900, 900, 1.0))
    cast.lasts(now)


@pytest.mark.parametrize("name", ["I01", "I05", "D03", "D06", "D11"])
def test_traffic_of_the_foothold_is_labelled_with_whoever_holds_its_address(tmp_path: Path, name: str) -> None:
    found = run(tmp_path, name, "high", speak)
    spoken = found.events.filter(pl.col("dst_ip") == "203.0.113.9")
    assert spoken["workload"].is_in(found.label.workloads).to_list() == [True]
    labelled = {name for name in found.label.workloads if f"host:{found.cast.host}" != name}
    assert set(found.events["workload"].drop_nulls()) - {f"host:{found.cast.host}"} == labelled


def test_a_joined_network_is_the_containers_own_address(tmp_path: Path) -> None:
    """What the container sends from its address in the second network is the victim's."""

    def cross(world: World, now: float, cast: Cast) -> None:
        container = cast.container("victim")
        (address,) = container.extra_networks.values()
        world.wire.connections(np.array([now]), address, "203.0.113.9", 443, sizes=(900, 900, 1.0))

    found = run(tmp_path, "D07", "high", cross)
    assert found.events.filter(pl.col("kind") == "flow")["workload"].to_list() == [found.label.workload]


def test_a_stopped_agent_sends_nothing_and_a_paused_one_comes_back(played: dict[tuple[str, Variant], Played]) -> None:
    gone, paused = played["D10", "high"].cast, played["D10", "dampened"].cast
    assert gone.victim is not None
    assert paused.victim is not None
    assert gone.host not in {container.host for container in gone.victim.containers}
    held = [lease for lease in paused.victim.leases if lease.end < paused.world.options.end]
    assert [lease.end for lease in held] == [paused.begin + 1]
    assert max(lease.start for lease in paused.victim.leases) == paused.begin + 1 + 7200


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        run(folder, "I05", "high")
        written.append({file.name: file.read_bytes() for file in (folder / "watch").iterdir()})
    assert written[0] == written[1]


def test_what_is_removed_by_force_dies_once_and_takes_its_image_along(tmp_path: Path) -> None:
    steps = (
        {"do": "run", "image": "alpine:3.20", "lives": 600},
        {"do": "exec", "at": 20, "on": "foothold", "commands": ["id", "sh /tmp/.x"], "every": 2, "lasting": 90},
        {"do": "copy", "at": 130, "on": "foothold", "direction": "out"},
        {"do": "remove", "at": 140, "image": True},
    )
    found = run(tmp_path, "D01", "high", steps=steps)
    events = found.events.filter(pl.col("kind") != "config").sort("ts")
    assert events["action"].to_list() == [
        "create", "network_connect", "start", "exec_create", "exec_start", "exec_die", "exec_create", "exec_start",
        "exec_die", "archive-path", "kill", "die", "network_disconnect", "destroy", "untag", "delete",
    ]  # fmt: skip
    ended = events.filter(pl.col("action") == "exec_die")["ts"]
    assert 88 < (ended[1] - ended[0]).total_seconds() < 94
    assert set(events["workload"]) == set(found.label.workloads)


def test_what_a_firewall_drops_leaves_no_event(tmp_path: Path) -> None:
    found = run(tmp_path, "D10", "high", steps=({"do": "silence", "how": "drop", "lasting": 3600},))
    assert found.events.is_empty()
    assert found.cast.victim is not None
    assert found.label.workloads == (found.cast.victim.workload,)
    assert found.cast.begin in {lease.end for lease in found.cast.victim.leases}
