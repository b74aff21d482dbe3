# ruff: noqa: E501 -- tables and wire forms stay in rows
"""The daily life of the namespace: deployments, a CronJob, robots that poll, people who look."""

import numpy as np

from service.emulation.estate import kube_acts
from service.emulation.estate.edges import Edge, site_edge
from service.emulation.estate.engine import Spec, Subnet
from service.emulation.estate.kube import KUBECTL, NAMESPACE, Actor, Cluster, account
from service.emulation.estate.outside import runtime
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Shape
from service.emulation.estate.world import HOUR, MINUTE, Service, World

_DEPLOYMENTS = ("gateway", "ledger", "fraud", "notify", "quotes", "reports", "limits")


def build(world: World, count: int) -> Cluster:
    """Make the namespace with `count` workloads, the last of them a CronJob, and schedule its life."""
    rng, options = world.rng, world.options
    cluster = Cluster(world, nodes={f"{world.layout.nodes}{n}": Subnet(f"10.244.{n}") for n in (1, 2)})
    cluster.people = [
        Actor(f"{name}@corp.example", ("platform",), f"10.8.0.{rng.integers(10, 90)}", KUBECTL)
        for name in ("alice", "bob", "carol")
    ]
    _workloads(cluster, count)
    _robots(cluster)
    for i, service in enumerate(cluster.services):
        if service.replicas:
            world.at(options.start + 5 + 20 * i, kube_acts.roll, service)
    _edges(cluster)
    for day in range(options.days):
        _plan_day(cluster, options.start + day * DAY)
    for low, high in ((options.start, options.watch), (options.watch, options.end)):
        world.at(low + float(rng.uniform(0.2, 0.8)) * (high - low), kube_acts.helm_install)
        world.at(low + float(rng.uniform(0.1, 0.9)) * (high - low), kube_acts.deploy, cluster.services[0])
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
        world.at(low + hour * HOUR + 5 * MINUTE, kube_acts.run_cron)
    for service in cluster.services[:-1]:
        if rng.random() < 0.2:
            world.at(low + float(rng.uniform(9, 17)) * HOUR, kube_acts.deploy, service)
    for _ in range(int(rng.poisson(7))):
        world.at(low + float(rng.uniform(7.5, 19)) * HOUR, kube_acts.look_around)


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
        **{node: (cluster.kubelet(node), 12, [("update", "leases", "kube-node-lease"), ("patch", "nodes", "")]) for node in cluster.nodes},
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
