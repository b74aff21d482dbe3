import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.events import frame
from features.ingest import read_events
from features.sources.kubernetes_audit import source

EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "a1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/pods",
    "verb": "create",
    "user": {"username": "system:serviceaccount:ci:deployer"},
    "sourceIPs": ["10.0.0.9", "10.0.0.1"],
    "userAgent": "kubectl/v1.31",
    "responseStatus": {"code": 201},
    "requestReceivedTimestamp": "2026-09-14T09:20:00.123456Z",
    "stageTimestamp": "2026-09-14T09:20:01Z",
    "objectRef": {"resource": "pods", "namespace": "shop"},
    "annotations": {"authorization.k8s.io/decision": "allow"},
}
POD: dict[str, Any] = {
    "metadata": {
        "name": "api-7d4b9c5f68-x2kqp",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "api-7d4b9c5f68", "controller": True}],
    },
    "spec": {
        "initContainers": [{"name": "migrate", "image": "shop/api:1"}],
        "containers": [{"name": "app", "image": "shop/api:1", "env": [{"name": "TOKEN", "value": "hunter2"}]}],
    },
}


def about(resource: str, name: str | None = None, subresource: str | None = None, **changes: object) -> dict[str, Any]:
    reference = {"resource": resource, "namespace": "shop", "name": name, "subresource": subresource}
    return {**EVENT, "objectRef": {k: v for k, v in reference.items() if v}, **changes}


def parse(record: dict[str, Any]) -> pl.DataFrame:
    return frame(source.parse(record, None))


def test_request_becomes_an_audit_row() -> None:
    """Who asked for what, from where, with which answer."""
    row = parse(about("secrets", "db", verb="get")).row(0, named=True)
    wanted = {
        "kind": "audit",
        "actor": "k8s-actor:system:serviceaccount:ci:deployer",
        "action": "get",
        "resource": "secrets",
        "name": "db",
        "namespace": "shop",
        "status": 201,
        "src_ip": "10.0.0.9",
        "user_agent": "kubectl/v1.31",
        "rule": "allow",
    }
    assert {key: row[key] for key in wanted} == wanted


def test_received_stage_carries_nothing() -> None:
    """A request that was only received has no outcome yet; its later stage will tell."""
    assert source.parse({**EVENT, "stage": "RequestReceived"}, None) == []


def test_stages_of_one_request_are_one_event() -> None:
    """A long request that starts and completes has the same time and identity in both stages."""
    started, complete = (
        source.parse({**about("pods", "p", "exec"), "stage": stage, "stageTimestamp": at}, None)[0]
        for stage, at in (("ResponseStarted", "2026-09-14T09:20:01Z"), ("ResponseComplete", "2026-09-14T10:00:00Z"))
    )
    assert (started["ts"], started["record_id"]) == (complete["ts"], complete["record_id"])


@pytest.mark.parametrize("verb", ["create", "get"])
def test_exec_is_seen_over_spdy_and_websocket(verb: str) -> None:
    """Exec by POST or by GET gives the command from the URI and the pod it ran in."""
    query = "command=sh&command=-c&command=id+%26%26+ls&container=app&tty=true"
    uri = f"/api/v1/namespaces/shop/pods/api-7d4b9c5f68-x2kqp/exec?{query}"
    rows = parse(about("pods", "api-7d4b9c5f68-x2kqp", "exec", verb=verb, requestURI=uri))
    row = rows.filter(kind="exec").row(0, named=True)
    assert (row["action"], row["command"]) == ("exec", "sh -c id && ls")
    assert (row["container_id"], row["container_name"]) == ("shop/api-7d4b9c5f68-x2kqp", "app")
    assert row["workload"] == "k8s:shop/deployment/api/app"


def test_ephemeral_container_is_an_exec() -> None:
    """A debugging container put into a running pod is a session in it, with its image."""
    patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox", "command": ["sh"]}]}}
    rows = parse(about("pods", "p", "ephemeralcontainers", verb="patch", requestObject=patch))
    row = rows.filter(kind="exec").row(0, named=True)
    assert (row["action"], row["command"], row["image"]) == ("ephemeralcontainers", "sh", "busybox")


def test_pod_gives_the_configuration_of_each_container() -> None:
    """The controller that owns a pod names the workload; values of variables are nowhere."""
    rows = parse(about("pods", requestObject=POD, responseObject=POD))
    config = rows.filter(kind="config")
    assert config["workload"].to_list() == ["k8s:shop/deployment/api/migrate", "k8s:shop/deployment/api/app"]
    assert set(config["container_id"]) == {"shop/api-7d4b9c5f68-x2kqp"}
    assert "EnvKey=TOKEN" in config["config"].to_list()[1]
    assert "hunter2" not in str(rows.to_dicts())


@pytest.mark.parametrize(
    ("resource", "manifest", "workload"),
    [
        ("deployments", {"metadata": {"name": "api"}, "spec": {"template": {"spec": POD["spec"]}}}, "deployment/api"),
        ("statefulsets", {"metadata": {"name": "db"}, "spec": {"template": {"spec": POD["spec"]}}}, "statefulset/db"),
        (
            "replicasets",
            {
                "metadata": {"name": "api-7d4b9c5f68", "ownerReferences": [{"kind": "Deployment", "name": "api"}]},
                "spec": {"template": {"spec": POD["spec"]}},
            },
            "deployment/api",
        ),
        (
            "jobs",
            {"metadata": {"name": "backup-28394820"}, "spec": {"template": {"spec": POD["spec"]}}},
            "cronjob/backup",
        ),
        (
            "cronjobs",
            {"metadata": {"name": "backup"}, "spec": {"jobTemplate": {"spec": {"template": {"spec": POD["spec"]}}}}},
            "cronjob/backup",
        ),
    ],
)
def test_template_names_its_own_controller(resource: str, manifest: dict[str, Any], workload: str) -> None:
    """A controller's template and the pods made of it are one workload."""
    rows = parse(about(resource, manifest["metadata"]["name"], requestObject=manifest)).filter(kind="config")
    assert rows["workload"].to_list() == [f"k8s:shop/{workload}/migrate", f"k8s:shop/{workload}/app"]
    assert rows["container_id"].null_count() == 2


def test_status_gives_the_addresses_of_a_pod() -> None:
    """A kubelet's patch of the status leases the pod's addresses, in both families."""
    status = {"status": {"podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}, {"ip": "FD00::7"}]}}
    patch = about("pods", "api-7d4b9c5f68-x2kqp", "status", verb="patch", requestObject=status)
    row = parse(patch).filter(kind="lifecycle").row(0, named=True)
    assert (row["action"], row["addresses"]) == ("address", ["10.244.1.7", "fd00::7"])
    assert (row["container_id"], row["workload"]) == ("shop/api-7d4b9c5f68-x2kqp", None)
    answered = parse({**patch, "responseObject": POD | status}).filter(kind="lifecycle").row(0, named=True)
    assert answered["workload"] == "k8s:shop/deployment/api/app"


def test_pod_on_the_network_of_its_node_leases_no_address() -> None:
    """The address of a host-network pod is the node's and belongs to everything there."""
    pod = POD | {"spec": POD["spec"] | {"hostNetwork": True}, "status": {"podIP": "192.168.1.10"}}
    record = about("pods", "p", "status", verb="update", requestObject=pod, responseObject=pod)
    assert parse(record).filter(kind="lifecycle").is_empty()


def test_deletion_and_binding_are_the_life_of_a_pod() -> None:
    """A deleted pod is destroyed; a bound one starts on its node."""
    deleted = parse(about("pods", "p", verb="delete")).filter(kind="lifecycle").row(0, named=True)
    assert (deleted["action"], deleted["container_id"]) == ("destroy", "shop/p")
    bound = about("pods", "p", "binding", requestObject={"target": {"kind": "Node", "name": "n3"}})
    started = parse(bound).filter(kind="lifecycle").row(0, named=True)
    assert (started["action"], started["host"]) == ("start", "n3")


def test_what_was_refused_did_not_happen() -> None:
    """A forbidden deletion ends no pod; a dry run configures none."""
    assert parse(about("pods", "p", verb="delete", responseStatus={"code": 403}))["kind"].to_list() == ["audit"]
    dry = about("pods", requestObject=POD, requestURI="/api/v1/namespaces/shop/pods?dryRun=All")
    assert parse(dry)["kind"].to_list() == ["audit"]


def test_metadata_level_works_without_objects() -> None:
    """An audit policy that logs no bodies still tells who did what."""
    assert parse(about("pods", "p", verb="patch"))["kind"].to_list() == ["audit"]


def test_real_privileged_pod_shows_in_its_second_container(samples: Path) -> None:
    """A real audit event of a pod whose second container is privileged says so of exactly that one."""
    (batch,) = read_events([samples / "kubernetes_audit.jsonl"])
    config = batch.events.filter((pl.col("kind") == "config") & pl.col("config").list.contains("Privileged=true"))
    assert config["container_name"].to_list() == ["mysql"]
    assert config["workload"].to_list() == ["k8s:default/deployment/nginx-deployment/mysql"]


def test_real_exec_keeps_its_command(samples: Path) -> None:
    """A real exec event of 2018 gives the command and the deployment."""
    (batch,) = read_events([samples / "kubernetes_audit.jsonl"])
    row = batch.events.filter(kind="exec", action="exec").row(0, named=True)
    assert (row["command"], row["workload"]) == ("bash", "k8s:default/deployment/nginx-deployment/nginx1")


def test_secret_values_are_never_kept() -> None:
    """A secret written with its body leaves only its name."""
    body = {"metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}, "stringData": {"p": "hunter2"}}
    rows = parse(about("secrets", "db", requestObject=body, responseObject=body))
    assert "hunter2" not in json.dumps(rows.to_dicts(), default=str)
    assert "aHVudGVyMg" not in json.dumps(rows.to_dicts(), default=str)


def audited(record: dict[str, Any]) -> dict[str, Any]:
    """Give the row of the request itself."""
    return parse(record).filter(pl.col("kind") == "audit").row(0, named=True)


BINDING = {"roleRef": {"name": "admin"}, "subjects": [{"name": "system:anonymous"}, {"name": "ada"}]}
PORTS = {"spec": {"type": "NodePort", "externalIPs": ["198.51.100.7"]}}
ON_NODE = {"spec": {"hostPID": True}}


@pytest.mark.parametrize(
    ("resource", "body", "tokens"),
    [
        ("roles", {"rules": [{"verbs": ["get"], "resources": ["pods", "jobs"]}]}, ["Rule=get jobs", "Rule=get pods"]),
        ("clusterrolebindings", BINDING, ["RoleRef=admin", "Subject=system:anonymous"]),
        ("certificatesigningrequests", {"spec": {"signerName": "corp/x"}}, ["Signer=corp/x"]),
        ("services", PORTS, ["ExternalIP=198.51.100.7", "ServiceType=NodePort"]),
        ("pods", ON_NODE, ["PidMode=host"]),
        ("cronjobs", {"spec": {"jobTemplate": {"spec": {"template": ON_NODE}}}}, ["PidMode=host"]),
        ("applications", {"spec": {"type": {"of": "a custom resource"}}, "rules": "any"}, None),
    ],
)
def test_request_states_what_its_object_would_allow(
    resource: str, body: dict[str, Any], tokens: list[str] | None
) -> None:
    """Rights, bindings, signers, open ports and settings of pods are tokens of a request; names of people are none."""
    assert audited(about(resource, requestObject=body))["config"] == tokens


def test_request_for_another_says_for_whom() -> None:
    """Impersonation is a fact of a request, whatever is asked for."""
    row = audited(about("pods", verb="list", impersonatedUser={"username": "system:admin"}))
    assert row["config"] == ["Impersonated=system:admin"]


def test_request_without_a_user_is_of_an_unknown_actor() -> None:
    """An export that leaves out who asked is read all the same."""
    assert audited({k: v for k, v in about("pods").items() if k != "user"})["actor"] == "k8s-actor:unknown"


def test_session_of_an_object_tells_its_command() -> None:
    """Where the address holds no command, as in Google's log, the object does."""
    body = {"command": ["tar", "cf", "-", "/srv"], "container": "app"}
    rows = parse(about("pods", "api-0", "exec", requestURI="/pods/api-0/exec", requestObject=body))
    assert rows["command"].to_list() == ["tar cf - /srv"] * 2
    assert rows.filter(kind="exec")["workload"].to_list() == ["k8s:shop/statefulset/api/app"]
