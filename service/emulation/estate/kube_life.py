# ruff: noqa: E501 -- tables and wire forms stay in rows
"""The daily life of the namespace: deployments, a CronJob, robots that poll, people who look."""

import numpy as np

from service.emulation.estate.edges import Edge, site_edge
from service.emulation.estate.engine import Spec, Subnet
from service.emulation.estate.ids import kube_suffix, uuid
from service.emulation.estate.kube import KUBECTL, NAMESPACE, Actor, Cluster, Pod, account, pod_spec
from service.emulation.estate.outside import runtime
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Shape
from service.emulation.estate.world import HOUR, MINUTE, Service, World

_DEPLOYMENTS = ("gateway", "ledger", "fraud", "notify", "quotes", "reports", "limits")


def build(world: World, count: int) -> Cluster:
    """Make the namespace with `count` workloads, the last of them a CronJob, and schedule its life."""
    rng, options = world.rng, world.options
    cluster = Cluster(world, nodes={"k1": Subnet("10.244.1"), "k2": Subnet("10.244.2")})
    cluster.people = [
        Actor(f"{name}@corp.example", ("platform",), f"10.8.0.{rng.integers(10, 90)}", KUBECTL)
        for name in ("alice", "bob", "carol")
    ]
    _workloads(cluster, count)
    _robots(cluster)
    for i, service in enumerate(cluster.services):
        if service.replicas:
            world.at(options.start + 5 + 20 * i, _roll, service)
    _edges(cluster)
    for day in range(options.days):
        _plan_day(cluster, options.start + day * DAY)
    for low, high in ((options.start, options.watch), (options.watch, options.end)):
        world.at(low + float(rng.uniform(0.2, 0.8)) * (high - low), _helm_install)
        world.at(low + float(rng.uniform(0.1, 0.9)) * (high - low), _deploy, cluster.services[0])
    return cluster


def _workloads(cluster: Cluster, count: int) -> None:
    world, rng = cluster.world, cluster.world.rng
    for name in (*_DEPLOYMENTS[: count - 1], "settle"):
        repository, tag = f"registry.corp.example/{NAMESPACE}/{name}", f"3.{rng.integers(0, 9)}.0"
        kind = "cronjob" if name == "settle" else "deployment"
        service = Service(f"k8s:{NAMESPACE}/{kind}/{name}/{name}", "pod", NAMESPACE, name, list(cluster.nodes), repository, tag, runtime(rng, "api"),
                          Spec(repository, env={"RELEASE": tag, "LEDGER_URL": "http://ledger:8080"}), "pod", 0 if kind == "cronjob" else int(rng.integers(2, 4)))  # fmt: skip
        if name in {"fraud", "notify", "ledger"} or rng.random() < 0.4:
            service.sites = [(world.outside.vendor(), float(rng.uniform(4, 15)))]
        cluster.services.append(service)


def _plan_day(cluster: Cluster, low: float) -> None:
    world, rng = cluster.world, cluster.world.rng
    world.at(low + 1, _day_of_robots)
    for hour in range(0, 24, 2):
        world.at(low + hour * HOUR + 5 * MINUTE, _cron)
    for service in cluster.services[:-1]:
        if rng.random() < 0.2:
            world.at(low + float(rng.uniform(9, 17)) * HOUR, _deploy, service)
    for _ in range(int(rng.poisson(7))):
        world.at(low + float(rng.uniform(7.5, 19)) * HOUR, _person)


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


def _runner_address(world: World) -> str:
    return world.engines[world.role("ci-runner")[0].hosts[0]].address


def _deploy(world: World, now: float, service: Service) -> None:
    if now < service.frozen_until:
        return
    major, minor, patch = service.tag.split(".")
    service.tag = f"{major}.{minor}.{int(patch) + 1}"
    service.template = service.template.but(env={**service.template.env, "RELEASE": service.tag})
    world.new_tag(
        service.repository, service.tag, now - 60, address=_runner_address(world), agent=world.registry.engine_agent
    )
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
