"""One Kubernetes namespace as the API server audits it: controllers, kubelets, GitOps, people, service accounts."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.estate.engine import Lease, Spec, Subnet
from benchmarks.estate.ids import digest, iso, iso_micro, kube_suffix, uuid
from benchmarks.estate.outside import runtime
from benchmarks.estate.topology import Edge, site_edge
from benchmarks.estate.traffic import rhythm
from benchmarks.estate.wire import Shape
from benchmarks.estate.world import DAY, HOUR, MINUTE, Service, World

NAMESPACE = "payments"
MANAGER = "kube-controller-manager/v1.30.2 (linux/amd64) kubernetes/39683505b/system:serviceaccount:kube-system:{}"
KUBECTL = "kubectl/v1.30.1 (linux/amd64) kubernetes/6911225"
_CONTROL = "10.0.1.10"
_DEPLOYMENTS = ("gateway", "ledger", "fraud", "notify", "quotes", "reports", "limits")


@dataclass
class Pod:
    name: str
    uid: str
    node: str
    address: str
    owner: dict[str, Any]
    lease: Lease
    host: str = ""
    started: float = 0.0


@dataclass
class Actor:
    name: str
    groups: tuple[str, ...]
    address: str
    agent: str


@dataclass
class Cluster:
    world: World
    namespace: str = NAMESPACE
    nodes: dict[str, Subnet] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    replica_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: list[Actor] = field(default_factory=list)
    robots: dict[str, tuple[Actor, float, list[tuple[str, str, str]]]] = field(default_factory=dict)

    def audit(self, now: float, actor: Actor, verb: str, resource: str, **details: Any) -> None:  # noqa: ANN401
        """Write one event; details: name, namespace, sub, group, code, body, reply, level, query, stage, address, agent."""
        world, group, space = self.world, details.get("group", ""), details.get("namespace", self.namespace)
        name, sub, code = (
            details.get("name", ""),
            details.get("sub", ""),
            details.get("code", 201 if verb == "create" else 200),
        )
        path = f"/apis/{group}/v1" if group else "/api/v1"
        path += (
            (f"/namespaces/{space}" if space else "")
            + f"/{resource}"
            + (f"/{name}" if name and (verb != "create" or sub) else "")
            + (f"/{sub}" if sub else "")
        )
        reference = {
            "resource": resource,
            "namespace": space,
            "name": name,
            "apiGroup": group,
            "apiVersion": "v1",
            "subresource": sub,
        }
        event: dict[str, Any] = {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": details.get("level", "Metadata"), "auditID": uuid(world.rng),
            "stage": details.get("stage", "ResponseComplete"), "requestURI": path + details.get("query", ""), "verb": verb,
            "user": {"username": actor.name, "groups": [*actor.groups, "system:authenticated"]},
            "sourceIPs": [details.get("address", actor.address)], "userAgent": details.get("agent", actor.agent),
            "objectRef": {key: value for key, value in reference.items() if value},
            "responseStatus": {"metadata": {}, "code": code},
        }  # fmt: skip
        if "body" in details:
            event["requestObject"] = details["body"]
        if "reply" in details:
            event["responseObject"] = details["reply"]
        event |= {
            "requestReceivedTimestamp": iso_micro(now), "stageTimestamp": iso_micro(now + float(world.rng.uniform(0.001, 0.03))),
            "annotations": {"authorization.k8s.io/decision": "forbid" if code == 403 else "allow", "authorization.k8s.io/reason": details.get("reason", "")},
        }  # fmt: skip
        world.sink.json("k8s-audit", now, event)

    def manager(self, controller: str) -> Actor:
        return account("kube-system", controller, _CONTROL, MANAGER.format(controller))

    def kubelet(self, node: str) -> Actor:
        number = list(self.nodes).index(node)
        return Actor(
            f"system:node:{node}",
            ("system:nodes",),
            f"10.0.1.{11 + number}",
            "kubelet/v1.30.2 (linux/amd64) kubernetes/39683505b",
        )

    def start_pod(self, service: Service, owner: dict[str, Any], now: float, name: str) -> Pod:
        """Create a pod as a controller does, bind it, report its address."""
        world = self.world
        node = world.pick(list(self.nodes))
        lease = Lease(self.nodes[node].lease(now), now + 2)
        pod = Pod(name, uuid(world.rng), node, lease.address, owner, lease, host=node, started=now + 2)
        spec = pod_spec(service)
        meta = {
            "generateName": name.rsplit("-", 1)[0] + "-",
            "namespace": self.namespace,
            "labels": {"app": service.name},
            "ownerReferences": [owner],
        }
        full = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {**meta, "name": name, "uid": pod.uid, "creationTimestamp": iso(now)},
            "spec": spec,
            "status": {"phase": "Pending"},
        }
        controller = "job-controller" if owner["kind"] == "Job" else "replicaset-controller"
        body = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": {}}
        self.audit(
            now, self.manager(controller), "create", "pods", level="RequestResponse", body=body, reply=full, name=name
        )
        binding = {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": self.namespace, "uid": pod.uid},
            "target": {"kind": "Node", "name": node},
        }
        scheduler = Actor(
            "system:kube-scheduler", (), _CONTROL, "kube-scheduler/v1.30.2 (linux/amd64) kubernetes/39683505b/scheduler"
        )
        self.audit(now + 0.1, scheduler, "create", "pods", sub="binding", name=name, level="Request", body=binding)
        image = {"name": service.name, "image": service.image, "imageID": f"{service.repository}@{world.registry.images.setdefault(service.image, digest(world.rng))}",
                 "ready": True, "restartCount": 0, "started": True, "state": {"running": {"startedAt": iso(now + 2)}}}  # fmt: skip
        status = {
            "phase": "Running",
            "hostIP": self.kubelet(node).address,
            "podIP": pod.address,
            "podIPs": [{"ip": pod.address}],
            "startTime": iso(now),
            "containerStatuses": [image],
        }
        patch = {"metadata": {"uid": pod.uid}, "status": status}
        self.audit(
            now + 2.2,
            self.kubelet(node),
            "patch",
            "pods",
            sub="status",
            name=name,
            level="RequestResponse",
            body=patch,
            reply={**full, "status": status},
        )
        service.containers.append(pod)  # type: ignore[arg-type]
        service.leases.append(lease)
        return pod

    def stop_pod(self, service: Service, pod: Pod, now: float, *, by: Actor | None = None) -> None:
        self.audit(now, by or self.manager("replicaset-controller"), "delete", "pods", name=pod.name, level="Metadata")
        self.audit(now + 3, self.kubelet(pod.node), "delete", "pods", name=pod.name, level="Metadata")
        pod.lease.end = now + 2
        self.nodes[pod.node].release(pod.address, now + 2)
        if pod in service.containers:
            service.containers.remove(pod)  # type: ignore[arg-type]

    def roll_out(self, service: Service, now: float) -> None:
        """Bring up a new replica set and take the old one down."""
        world, old = self.world, list(service.containers)
        suffix = kube_suffix(world.rng, 9)
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": f"{service.name}-{suffix}",
            "uid": uuid(world.rng),
            "controller": True,
            "blockOwnerDeletion": True,
        }
        parent = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": service.name,
            "uid": uuid(world.rng),
            "controller": True,
        }
        body = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": {"name": owner["name"], "namespace": self.namespace, "ownerReferences": [parent]},
                "spec": {"replicas": service.replicas, "template": {"spec": pod_spec(service)}}}  # fmt: skip
        self.audit(
            now,
            self.manager("deployment-controller"),
            "create",
            "replicasets",
            group="apps",
            name=owner["name"],
            level="Request",
            body=body,
        )
        self.replica_sets[service.name] = owner
        for i in range(service.replicas):
            self.start_pod(service, owner, now + 0.5 + 8 * i, f"{owner['name']}-{kube_suffix(world.rng, 5)}")
        for i, pod in enumerate(old):
            self.stop_pod(service, pod, now + 6 + 8 * i)  # type: ignore[arg-type]
        for i in range(3):
            self.audit(
                now + 2 + 5 * i,
                self.manager("endpointslice-controller"),
                "update",
                "endpointslices",
                group="discovery.k8s.io",
                name=f"{service.name}-{kube_suffix(world.rng, 5)}",
            )


def account(space: str, name: str, address: str, agent: str) -> Actor:
    return Actor(
        f"system:serviceaccount:{space}:{name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{space}"),
        address,
        agent,
    )


def pod_spec(service: Service) -> dict[str, Any]:
    limits = {"cpu": "500m", "memory": "512Mi"}
    container = {
        "name": service.name, "image": service.image, "ports": [{"containerPort": service.port, "protocol": "TCP"}],
        "env": [{"name": key, "value": value} for key, value in service.template.env.items()], "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": limits, "requests": limits},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    return {
        "containers": [container],
        "serviceAccountName": service.name,
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
    }


def build(world: World, count: int) -> Cluster:
    """Make the namespace with `count` workloads, the last of them a CronJob, and schedule its life."""
    rng, options = world.rng, world.options
    cluster = Cluster(world, nodes={"k1": Subnet("10.244.1"), "k2": Subnet("10.244.2")})
    cluster.people = [
        Actor(f"{name}@corp.example", ("platform",), f"10.8.0.{rng.integers(10, 90)}", KUBECTL)
        for name in ("alice", "bob", "carol")
    ]
    for name in (*_DEPLOYMENTS[: count - 1], "settle"):
        repository, tag = f"registry.corp.example/{NAMESPACE}/{name}", f"3.{rng.integers(0, 9)}.0"
        kind = "cronjob" if name == "settle" else "deployment"
        service = Service(f"k8s:{NAMESPACE}/{kind}/{name}/{name}", "pod", NAMESPACE, name, list(cluster.nodes), repository, tag, runtime(rng, "api"),
                          Spec(repository, env={"RELEASE": tag, "LEDGER_URL": "http://ledger:8080"}), "pod", 0 if kind == "cronjob" else int(rng.integers(2, 4)))  # fmt: skip
        if name in {"fraud", "notify", "ledger"} or rng.random() < 0.4:
            service.sites = [(world.outside.vendor(), float(rng.uniform(4, 15)))]
        cluster.services.append(service)
    _robots(cluster)
    for i, service in enumerate(cluster.services):
        if service.replicas:
            world.at(options.start + 5 + 20 * i, _roll, service)
    _edges(cluster)
    for day in range(options.days):
        low = options.start + day * DAY
        world.at(low + 1, _day_of_robots)
        for hour in range(0, 24, 2):
            world.at(low + hour * HOUR + 5 * MINUTE, _cron)
        for service in cluster.services[:-1]:
            if rng.random() < 0.2:
                world.at(low + float(rng.uniform(9, 17)) * HOUR, _deploy, service)
        for _ in range(int(rng.poisson(7))):
            world.at(low + float(rng.uniform(7.5, 19)) * HOUR, _person)
    for low, high in ((options.start, options.watch), (options.watch, options.end)):
        world.at(low + float(rng.uniform(0.2, 0.8)) * (high - low), _helm_install)
        world.at(low + float(rng.uniform(0.1, 0.9)) * (high - low), _deploy, cluster.services[0])
    return cluster


def _edges(cluster: Cluster) -> None:
    by_name, rng = {s.name: s for s in cluster.services}, cluster.world.rng
    first = cluster.services[0]
    cluster.world.edges.append(
        Edge(None, first, 8080, "http", 90, Shape(800, 3_000, 0.1, 0.9), ("/pay", "/status", "/v2/charge"))
    )
    for service in cluster.services[1:-1]:
        cluster.world.edges.append(
            Edge(first, service, 8080, "http", 40, Shape(700, 2_000, 0.05), ("/internal/check", "/internal/book"))
        )
    for service in cluster.services:
        cluster.world.edges += [site_edge(service, site, rate, rng) for site, rate in service.sites]
    if "ledger" in by_name and (database := cluster.world.role("db")):
        cluster.world.edges.append(
            Edge(by_name["ledger"], database[0], 5432, "postgresql", 40, Shape(2_000, 8_000, 2.0))
        )


def _robots(cluster: Cluster) -> None:
    """List who calls the API all day: an hourly rate and the calls (verb, resource, namespace)."""
    space = cluster.namespace
    cluster.robots = {
        "argocd": (account("argocd", "argocd-application-controller", "10.244.1.200", "argocd-application-controller/v2.11"), 20,
                   [("list", "deployments", ""), ("patch", "applications", "argocd"), ("get", "configmaps", space)]),
        "cert-manager": (account("cert-manager", "cert-manager", "10.244.2.201", "cert-manager-controller/v1.15"), 4, [("list", "secrets", ""), ("update", "leases", "cert-manager")]),
        "external-secrets": (account("external-secrets", "external-secrets", "10.244.2.202", "external-secrets/v0.9"), 12, [("get", "secrets", space), ("update", "secrets", space)]),
        "metrics-server": (account("kube-system", "metrics-server", "10.244.1.203", "metrics-server/v0.7"), 12, [("list", "nodes", ""), ("list", "pods", "")]),
        "manager": (cluster.manager("endpointslice-controller"), 8, [("update", "endpointslices", space)]),
        "k1": (cluster.kubelet("k1"), 12, [("update", "leases", "kube-node-lease"), ("patch", "nodes", "")]),
        "k2": (cluster.kubelet("k2"), 12, [("update", "leases", "kube-node-lease"), ("patch", "nodes", "")]),
        "ksm": (account("monitoring", "kube-state-metrics", "10.244.1.204", "kube-state-metrics/v2.12"), 2, [("list", "secrets", ""), ("list", "pods", ""), ("list", "jobs", "")]),
    }  # fmt: skip
    for service in cluster.services[:-1:2]:
        actor = account(
            space,
            service.name,
            "",
            {"Go-http-client/1.1": "app/v3 (linux/amd64) kubernetes/$Format"}.get(
                service.client.agent, "OpenAPI-Generator/29.0.0/python"
            ),
        )
        cluster.robots[service.name] = (actor, 6, [("get", "configmaps", space), ("update", "leases", space)])


def _day_of_robots(world: World, now: float) -> None:
    cluster, rng = world.cluster, world.rng
    names = {
        "secrets": "gateway-tls",
        "configmaps": "settings",
        "applications": "payments",
        "endpointslices": "gateway-x2k4p",
    }
    for key, (actor, rate, calls) in cluster.robots.items():
        owner = next((s for s in cluster.services if s.name == key), None)
        for moment in np.sort(now + rng.uniform(0, DAY - 2, int(rng.poisson(rate * 24)))).tolist():
            verb, resource, space = calls[int(rng.integers(len(calls)))]
            name = "" if verb == "list" else names.get(resource, actor.name.rsplit(":", 1)[-1])
            address = world.pick(owner.containers).address if owner and owner.containers else actor.address
            cluster.audit(
                moment,
                actor,
                verb,
                resource,
                namespace=space,
                name=name,
                address=address or "10.244.1.2",
                query="?limit=500" if verb == "list" else "",
            )


def _roll(world: World, now: float, service: Service) -> None:
    world.cluster.roll_out(service, now)


def _deploy(world: World, now: float, service: Service) -> None:
    if now < service.frozen_until:
        return
    major, minor, patch = service.tag.split(".")
    service.tag = f"{major}.{minor}.{int(patch) + 1}"
    service.template = service.template.but(env={**service.template.env, "RELEASE": service.tag})
    world.new_tag(service.repository, service.tag, now - 60, address="10.0.0.17", agent=world.registry.engine_agent)
    actor = world.cluster.robots["argocd"][0]
    body = {"spec": {"template": {"spec": {"containers": [{"name": service.name, "image": service.image}]}}}}
    world.cluster.audit(now, actor, "patch", "deployments", group="apps", name=service.name, level="Request", body=body)
    world.cluster.roll_out(service, now + 0.4)
    world.ledger.lookalike("release", service.workload, now - 60, now + 60)


def _cron(world: World, now: float) -> None:
    """Run the CronJob every two hours."""
    cluster, service = world.cluster, world.cluster.services[-1]
    job = f"settle-{int(now // 60)}"
    parent = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "settle",
        "uid": "7d1c9f2e-0000-4000-a000-000000000001",
        "controller": True,
    }
    body = {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": {"name": job, "namespace": cluster.namespace, "ownerReferences": [parent]},
        "spec": {"template": {"spec": pod_spec(service)}},
    }
    cluster.audit(
        now,
        cluster.manager("cronjob-controller"),
        "create",
        "jobs",
        group="batch",
        name=job,
        level="Request",
        body=body,
    )
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uuid(world.rng), "controller": True}
    pod = cluster.start_pod(service, owner, now + 0.3, f"{job}-{kube_suffix(world.rng, 5)}")
    lasts = float(world.rng.uniform(20, 90))
    ledger = next((s for s in cluster.services if s.name == "ledger"), cluster.services[0])
    if ledger.containers:
        ts = pod.started + np.sort(world.rng.uniform(1, lasts, 5))
        sizes = Shape(2_000, 40_000, 0.4).draw(world.rng, 5)
        world.wire.http(
            ts,
            pod.address,
            ledger.containers[0].address,
            8080,
            sizes=sizes,
            agent=service.client.agent,
            host="ledger:8080",
            uri="/internal/settle",
        )
    world.at(now + lasts + 4, _end_job, service, pod)


def _end_job(world: World, now: float, service: Service, pod: Pod) -> None:
    world.cluster.stop_pod(service, pod, now, by=world.cluster.manager("job-controller"))


def _helm_install(world: World, now: float) -> None:
    """Install an operator: an account, a role, a binding, a deployment, by the one who always does."""
    cluster, name = world.cluster, f"{world.outside.word()}-operator"
    actor, rbac = cluster.people[0], "rbac.authorization.k8s.io"
    rules = [
        {
            "apiGroups": ["", "apps"],
            "resources": ["pods", "deployments", "configmaps"],
            "verbs": ["get", "list", "watch"],
        }
    ]
    role = {"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "operators"}],
    }
    agent = "Helm/3.15.2"
    cluster.audit(now, actor, "create", "serviceaccounts", namespace="operators", name=name, agent=agent)
    cluster.audit(
        now + 0.4,
        actor,
        "create",
        "clusterroles",
        group=rbac,
        namespace="",
        name=name,
        level="RequestResponse",
        body=role,
        agent=agent,
    )
    cluster.audit(
        now + 0.8,
        actor,
        "create",
        "clusterrolebindings",
        group=rbac,
        namespace="",
        name=name,
        level="RequestResponse",
        body=binding,
        agent=agent,
    )
    cluster.audit(
        now + 1.5, actor, "create", "deployments", group="apps", namespace="operators", name=name, agent=agent
    )
    cluster.audit(
        now + 1.9, actor, "create", "secrets", namespace="operators", name=f"sh.helm.release.v1.{name}.v1", agent=agent
    )
    world.ledger.lookalike("helm_install", f"k8s-actor:{actor.name}", now, now + 5)


def _person(world: World, now: float) -> None:
    """Someone looks at something; now and then they open a shell."""
    cluster, rng = world.cluster, world.rng
    actor, clock = cluster.people[min(int(rng.exponential(0.9)), 2)], now
    service = world.pick(cluster.services[:-1])
    for _ in range(int(rng.integers(2, 9))):
        verb, resource = world.pick(
            [
                ("list", "pods"),
                ("get", "pods"),
                ("list", "deployments"),
                ("list", "events"),
                ("get", "deployments"),
                ("list", "services"),
            ]
        )
        cluster.audit(
            clock,
            actor,
            verb,
            resource,
            group="apps" if resource == "deployments" else "",
            name=service.name if verb == "get" else "",
            query="?limit=500" if verb == "list" else "",
        )
        clock += float(rng.exponential(15)) + 1
    if rng.random() < 0.35 and service.containers:
        cluster.audit(clock, actor, "get", "pods", sub="log", name=service.containers[0].name, query="?tailLines=100")
    if rng.random() < 0.12 and service.containers and actor is cluster.people[0]:
        cluster.audit(
            clock + 9,
            actor,
            "get",
            "pods",
            sub="exec",
            name=service.containers[0].name,
            code=101,
            stage="ResponseStarted",
            query=f"?command=sh&container={service.name}&stdin=true&stdout=true&tty=true",
        )
        world.ledger.lookalike("ops_exec", service.workload, clock, clock + 60)


__all__ = ["KUBECTL", "NAMESPACE", "Actor", "Cluster", "account", "build", "rhythm"]
