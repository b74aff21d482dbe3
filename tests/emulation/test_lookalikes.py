import gzip
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.emulation.estate.__main__ import arguments, run
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.lookalikes import KINDS, lookalike
from service.emulation.estate.world import World

pytestmark = pytest.mark.slow

EVERY = {f"B{number}" for number in range(1, 24)}
SIDES = ("learn", "watch")


@dataclass(eq=False)
class Lived:
    """A large estate's life: who lived it, and what it left on disk."""

    world: World
    folder: Path

    @cache  # noqa: B019 -- it lives as long as the tests do
    def lines(self, side: str, stream: str) -> list[dict[str, Any]]:
        found = []
        for path in sorted((self.folder / side).glob(f"{stream}*")):
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            if raw.startswith(b"#"):
                head = next(line for line in raw.split(b"\n") if line.startswith(b"#fields")).split(b"\t")[1:]
                names = [name.decode() for name in head]
                rows = [line.decode().split("\t") for line in raw.split(b"\n") if line and not line.startswith(b"#")]
                found += [dict(zip(names, row, strict=True)) for row in rows]
            else:
                found += [msgspec.json.decode(line) for line in raw.split(b"\n") if line]
        return found

    def labels(self, act: str) -> list[Any]:
        return [label for label in self.world.ledger.lookalikes if label.act == act]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    given = ["--workloads", "80", "--days", "3", "--learn-days", "2", "--flows", "20000"]
    return Lived(run(arguments(["--out", str(folder), *given])), folder)


def test_every_kind_of_the_catalogue_happens_before_and_after_the_split(lived: Lived) -> None:
    watch, end = lived.world.options.watch, lived.world.options.end
    begun = Counter(
        (label.kind, parse_iso(label.start) >= watch)
        for label in lived.world.ledger.lookalikes
        if parse_iso(label.start) < end
    )
    for later in (False, True):
        assert {kind for kind, side in begun if side is later} == EVERY


def test_every_label_ends_after_it_begins_and_names_somebody(lived: Lived) -> None:
    for label in lived.world.ledger.lookalikes:
        assert parse_iso(label.end) >= parse_iso(label.start), label
        assert label.workload.split(":", 1)[0] in {"docker", "k8s", "k8s-actor", "host", "ip"}, label


def test_an_act_without_a_kind_is_refused() -> None:
    assert set(KINDS.values()) == EVERY
    with pytest.raises(KeyError, match="picnic"):
        lookalike("picnic", "docker:shop/web", "2026-09-07T00:00:00Z", "2026-09-07T01:00:00Z")


@pytest.mark.parametrize("side", SIDES)
def test_a_mesh_speaks_tls_to_one_port_under_names_of_services(lived: Lived, side: str) -> None:
    rows = [row for row in lived.lines(side, "ssl.") if int(row["id.resp_p"]) == 15001]
    project = lived.labels("mesh")[0].workload.removeprefix("docker:").split("/")[0]
    assert rows
    assert {row["next_protocol"] for row in rows} == {"istio"}
    assert all(row["server_name"].startswith("outbound_.") for row in rows)
    assert all(row["server_name"].endswith(f".{project}.svc.cluster.local") for row in rows)


@pytest.mark.parametrize("side", SIDES)
def test_pods_try_search_paths_and_the_shippers_ask_for_names_of_addresses(lived: Lived, side: str) -> None:
    asked = lived.lines(side, "dns.")
    missing = [row for row in asked if row["rcode_name"] == "NXDOMAIN"]
    assert sum(".svc.cluster.local" in row["query"] for row in missing) > 20
    assert sum(row["qtype_name"] == "PTR" for row in asked) > 20
    own = lived.world.names.stand_ins["edgecast.example"]
    random = [row["query"].split(".")[0] for row in asked if row["query"].endswith(f".cdn.{own}")]
    assert random
    assert len(set(random)) == len(random)
    assert min(map(len, random)) > 20


@pytest.mark.parametrize("side", SIDES)
def test_a_nested_build_is_privileged_or_kaniko_and_pushes(lived: Lived, side: str) -> None:
    started = [
        event
        for host in lived.world.engines
        for event in lived.lines(side, f"events-{host}.")
        if event["Action"] == "start" and event["Actor"]["Attributes"]["name"].startswith("ci-nested")
    ]
    assert {event["Actor"]["Attributes"]["image"] for event in started} <= {
        "gcr.io/kaniko-project/executor:v1.23.2",
        "docker:27-dind",
    }
    begun = [label for label in lived.labels("nested_build") if _side(lived, label) == side]
    assert len(started) == len(begun) > 0
    agents = [
        entry["request"]["useragent"]
        for envelope in lived.lines(side, "registry.")
        for entry in envelope["events"]
        if entry["action"] == "push"
    ]
    assert "kaniko/v1.23.2" in agents


def test_a_nightly_build_moves_its_tag_and_no_release_is_built_twice(lived: Lived) -> None:
    pushed = Counter(
        (entry["target"]["repository"], entry["target"]["tag"])
        for side in SIDES
        for envelope in lived.lines(side, "registry.")
        for entry in envelope["events"]
        if entry["action"] == "push"
    )
    attacked = {workload for cast in lived.world.ledger.casts for workload in cast.workloads}
    twice = {f"docker:{repository}" for (repository, tag), count in pushed.items() if count > 1 and tag != "nightly"}
    assert pushed["platform/smoke-tests", "nightly"] == 3
    assert twice <= attacked


@pytest.mark.parametrize("side", SIDES)
def test_images_are_fetched_ahead_on_every_machine_and_node(lived: Lived, side: str) -> None:
    ahead = [label for label in lived.labels("prepull") if _side(lived, label) == side]
    whole = Counter(label.start for label in ahead if label.workload.startswith("host:"))
    (moment, hosts) = whole.most_common(1)[0]
    assert hosts == len(lived.world.engines)
    pulls = [
        event["host"]
        for host in lived.world.engines
        for event in lived.lines(side, f"events-{host}.")
        if event["Action"] == "pull" and 0 <= event["time"] - parse_iso(moment) < 60
    ]
    assert set(pulls) == set(lived.world.engines)
    daemons = [
        record
        for record in lived.lines(side, "k8s-audit.")
        if record["user"]["username"].endswith(":daemon-set-controller")
    ]
    assert len(daemons) >= len(lived.world.cluster.nodes)


@pytest.mark.parametrize("side", SIDES)
def test_secrets_are_listed_everywhere_and_drift_is_patched_by_robots(lived: Lived, side: str) -> None:
    records = lived.lines(side, "k8s-audit.")
    listed = {
        record["user"]["username"]
        for record in records
        if record["verb"] == "list" and record["objectRef"]["resource"] == "secrets"
        and "namespace" not in record["objectRef"]
    }  # fmt: skip
    named = {label.workload.removeprefix("k8s-actor:") for label in lived.labels("secrets_listed")}
    assert "system:serviceaccount:cert-manager:cert-manager" in listed & named
    patched = Counter(
        record["objectRef"].get("name")
        for record in records
        if record["verb"] == "patch" and "force=true" in record["requestURI"]
    )
    assert patched.most_common(1)[0][1] >= 15


@pytest.mark.parametrize("side", SIDES)
def test_a_standby_elsewhere_and_a_chain_of_developers_hold_long_connections(lived: Lived, side: str) -> None:
    rows = lived.lines(side, "conn.")
    assert {label.workload.rsplit("/", 1)[1] for label in lived.labels("replication")} == {"db"}
    sent = [int(row["orig_bytes"]) for row in rows if int(row["id.resp_p"]) == 5432 and row.get("service") == "ssl"]
    assert sent
    assert max(sent) > 1_000_000
    assert [row for row in rows if int(row["id.resp_p"]) == 3333 and row.get("service") == "http"]
    assert [row for row in rows if int(row["id.resp_p"]) == 30303]


@pytest.mark.parametrize("act", ["crash_loop", "canary", "incident_response"])
def test_bad_days_and_careful_ones_leave_events_of_the_service(lived: Lived, act: str) -> None:
    wanted = {
        "crash_loop": ["die", "start"],
        "canary": ["die", "start"],
        "incident_response": ["exec_create", "update"],
    }
    for label in lived.labels(act):
        service = next(s for s in lived.world.services if s.workload == label.workload)
        low, high = parse_iso(label.start), parse_iso(label.end) + 5
        seen = Counter(
            event["Action"].split(":")[0]
            for host in service.hosts
            for event in lived.lines(_side(lived, label), f"events-{host}.")
            if low <= event["time"] <= high
            and event["Actor"]["Attributes"].get("com.docker.compose.service") == service.name
            and event["Actor"]["Attributes"].get("com.docker.compose.project") == service.project
        )
        least = 5 if act == "crash_loop" else 1
        assert min(seen[action] for action in wanted[act]) >= least, (label, seen)


def test_a_small_estate_is_left_as_it_is(tmp_path: Path) -> None:
    small = run(
        arguments(["--out", str(tmp_path), "--workloads", "12", "--days", "2", "--learn-days", "1", "--flows", "3000"])
    )
    assert not {"mesh", "canary", "nested_build"} & {label.act for label in small.ledger.lookalikes}


def _side(lived: Lived, label: Any) -> str:
    return SIDES[parse_iso(label.start) >= lived.world.options.watch]
