# ruff: noqa: E501 -- tables and wire forms stay in rows

"""Abuse of the Kubernetes API, as its audit log shows it."""

from typing import Any

import numpy as np

from service.emulation.estate.ids import kube_suffix, uuid
from service.emulation.estate.kube import KUBECTL, Actor, account
from service.emulation.estate.strike import Strike
from service.emulation.estate.world import HOUR, MINUTE, Service, World


def _service(strike: Strike) -> Service:
    cluster = strike.world.cluster
    pool = [s for s in cluster.services[:-1] if not s.attacked and s.containers] or cluster.services[:-1]
    service: Service = strike.world.pick(pool)
    service.attacked, service.frozen_until = True, strike.now + 4 * HOUR
    return service


def _thief(strike: Strike, service: Service) -> Actor:
    """Hold a service account's token somewhere else, or in a pod with the application's own agent when dampened."""
    cluster = strike.world.cluster
    if strike.strong:
        return account(
            cluster.namespace,
            service.name,
            f"198.51.100.{strike.rng.integers(5, 250)}",
            str(strike.world.pick(["curl/8.5.0", "python-requests/2.32.3", KUBECTL])),
        )
    other = strike.world.pick([s for s in cluster.services[:-1] if s is not service and s.containers] or [service])
    return account(cluster.namespace, service.name, other.containers[0].address, "Go-http-client/2.0")


def stolen_token(world: World, now: float, strong: bool) -> None:
    """E03: a token read through exec, then used from an address that is not its pod's."""
    strike = Strike(world, now, strong)
    service, cluster = _service(strike), world.cluster
    pod, person = service.containers[0], world.pick(cluster.people[1:])
    query = f"?command=cat&command=%2Fvar%2Frun%2Fsecrets%2Fkubernetes.io%2Fserviceaccount%2Ftoken&container={service.name}&stdout=true"
    where = [f"k8s-actor:system:serviceaccount:{cluster.namespace}:{service.name}"]
    if strong:
        cluster.audit(
            now, person, "create", "pods", sub="exec", name=pod.name, code=101, stage="ResponseStarted", query=query
        )
        where += [service.workload, f"k8s-actor:{person.name}"]
    thief = _thief(strike, service)
    for i, (verb, resource) in enumerate(
        [("list", "pods"), ("list", "services"), ("get", "configmaps"), ("list", "secrets")][: 4 if strong else 2]
    ):
        cluster.audit(now + 40 + 9.0 * i, thief, verb, resource, code=403 if resource == "secrets" else 200)
    strike.record(
        "E03",
        "T1528 T1552.007 T1550.001",
        where,
        15 * MINUTE,
        f"token of {service.name} used from {thief.address}",
        "control",
    )


def all_secrets(world: World, now: float, strong: bool) -> None:
    """E04: every secret in one list; dampened, one by one over hours."""
    strike = Strike(world, now, strong)
    service, cluster = _service(strike), world.cluster
    thief = (
        _thief(strike, service)
        if not strong
        else account(cluster.namespace, service.name, service.containers[0].address, "curl/8.5.0")
    )
    if strong:
        cluster.audit(now, thief, "list", "secrets", namespace="", query="?limit=500")
    else:
        for i in range(14):
            cluster.audit(
                now + i * float(strike.rng.uniform(400, 900)),
                thief,
                "get",
                "secrets",
                name=f"{world.outside.word()}-credentials",
                code=200 if i % 3 else 403,
            )
    lasting = 10 * MINUTE if strong else 3 * HOUR
    strike.record(
        "E04",
        "T1552.007",
        [f"k8s-actor:{thief.name}", service.workload],
        lasting,
        "secrets listed" if strong else "secrets read one by one",
        "control",
    )


def probing(world: World, now: float, strong: bool) -> None:
    """E05: what may this account do? Reviews and refusals."""
    strike = Strike(world, now, strong)
    service, cluster = _service(strike), world.cluster
    actor = account(
        cluster.namespace,
        service.name,
        service.containers[0].address,
        KUBECTL if strong else "app/v3 (linux/amd64) kubernetes/$Format",
    )
    resources = [
        "pods",
        "nodes",
        "namespaces",
        "secrets",
        "clusterroles",
        "daemonsets",
        "serviceaccounts",
        "events",
        "persistentvolumes",
        "jobs",
    ]
    count = 60 if strong else 9
    for i in range(count):
        moment = now + i * (3.0 if strong else 300.0)
        if i % 4 == 0:
            cluster.audit(
                moment, actor, "create", "selfsubjectaccessreviews", group="authorization.k8s.io", namespace=""
            )
        else:
            cluster.audit(
                moment,
                actor,
                "list",
                resources[i % len(resources)],
                namespace="" if i % 2 else cluster.namespace,
                code=403,
            )
    strike.record(
        "E05",
        "T1613 T1069",
        [f"k8s-actor:{actor.name}", service.workload],
        count * (3.0 if strong else 300.0) + 60,
        "permissions probed",
        "control",
    )


def admin_binding(world: World, now: float, strong: bool) -> None:
    """E09: a new account bound to everything; dampened, a long-lived token for an existing one."""
    strike = Strike(world, now, strong)
    cluster = world.cluster
    actor, name = world.pick(cluster.people[1:]), f"{world.outside.word()}-{kube_suffix(strike.rng, 4)}"
    address = f"203.0.113.{strike.rng.integers(5, 250)}" if strong else actor.address
    if strong:
        rbac = "rbac.authorization.k8s.io"
        role = {
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
        }
        binding = {"kind": "ClusterRoleBinding", "metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
                   "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}]}  # fmt: skip
        cluster.audit(now, actor, "create", "serviceaccounts", namespace="kube-system", name=name, address=address)
        cluster.audit(
            now + 4,
            actor,
            "create",
            "clusterroles",
            group=rbac,
            namespace="",
            name=name,
            level="RequestResponse",
            body=role,
            address=address,
        )
        cluster.audit(
            now + 9,
            actor,
            "create",
            "clusterrolebindings",
            group=rbac,
            namespace="",
            name=name,
            level="RequestResponse",
            body=binding,
            address=address,
        )
    cluster.audit(now + 30, actor, "create", "serviceaccounts", namespace="kube-system", name=name if strong else "default", sub="token", level="Request",
                  body={"kind": "TokenRequest", "spec": {"expirationSeconds": 315360000}}, address=address)  # fmt: skip
    strike.record(
        "E09",
        "T1098.006 T1136",
        [f"k8s-actor:{actor.name}"],
        10 * MINUTE,
        "admin binding and token" if strong else "long-lived token",
        "control",
    )


def privileged_pod(world: World, now: float, strong: bool) -> None:
    """D01 in Kubernetes: a pod by hand with the node's file system."""
    strike = Strike(world, now, strong)
    cluster = world.cluster
    actor, name = world.pick(cluster.people), f"{world.outside.word()}-debug"
    container: dict[str, Any] = {
        "name": "c",
        "image": "alpine:3.20",
        "command": ["sleep", "1d"],
        "volumeMounts": [{"name": "r", "mountPath": "/host"}],
    }
    spec: dict[str, Any] = {
        "containers": [container],
        "volumes": [{"name": "r", "hostPath": {"path": "/" if strong else "/var/log"}}],
    }
    if strong:
        container["securityContext"] = {"privileged": True}
        spec |= {"hostPID": True, "hostNetwork": True}
    body: dict[str, Any] = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": cluster.namespace},
        "spec": spec,
    }
    reply = {**body, "metadata": {**body["metadata"], "uid": uuid(strike.rng)}}
    cluster.audit(now, actor, "create", "pods", level="RequestResponse", name=name, body=body, reply=reply)
    if strong:
        cluster.audit(
            now + 20,
            actor,
            "get",
            "pods",
            sub="exec",
            name=name,
            code=101,
            stage="ResponseStarted",
            query="?command=chroot&command=/host&stdin=true&tty=true",
        )
    cluster.audit(now + 600, actor, "delete", "pods", name=name)
    kind = [f"k8s:{cluster.namespace}/{kind}/{name}/c" for kind in ("pod", "Pod")]
    strike.record(
        "D01K",
        "T1610 T1611",
        [f"k8s-actor:{actor.name}", *kind],
        15 * MINUTE,
        f"pod {name} with hostPath",
        "config control",
    )


def pod_beacon(world: World, now: float, strong: bool) -> None:
    """N01 from a pod."""
    strike = Strike(world, now, strong)
    service = _service(strike)
    lasting = (2 if strong else 9) * HOUR
    service.frozen_until = now + lasting + HOUR
    ts = strike.beacon_times(now, lasting, 60 if strong else 900, 0.3)
    site = world.outside.stranger(plausible=not strong)
    strike.call_home(np.asarray(ts), service.containers[0].address, site, service.client)
    strike.record(
        "N01",
        "T1071.001",
        [service.workload],
        lasting,
        f"pod beacon to {site.name}",
        "network",
        host=service.containers[0].host,
    )
