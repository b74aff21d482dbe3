# ruff: noqa: E501 -- tables and wire forms stay in rows
"""What happens in the namespace: deployments, a CronJob's runs, an operator installed, drift undone, people who look."""

import numpy as np

from service.emulation.estate.ids import kube_suffix, uuid
from service.emulation.estate.kube import Pod, pod_spec
from service.emulation.estate.wire import Shape
from service.emulation.estate.world import Service, World


def roll(world: World, now: float, service: Service) -> None:
    world.cluster.roll_out(service, now)


def _runner_address(world: World) -> str:
    return world.engines[world.role("ci-runner")[0].hosts[0]].address


def deploy(world: World, now: float, service: Service) -> None:
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


def run_cron(world: World, now: float) -> None:
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


def helm_install(world: World, now: float) -> None:
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


def look_around(world: World, now: float) -> None:
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


def undo_drift(world: World, now: float) -> None:
    """Let the GitOps controller patch a deployment back again and again, while something else changes it."""
    cluster, service = world.cluster, world.pick(world.cluster.services[:-1])
    actor, clock = cluster.robots["argocd"][0], now
    body = {"spec": {"replicas": service.replicas}}
    query = "?fieldManager=argocd-controller&force=true"
    for _ in range(int(world.rng.integers(15, 40))):
        cluster.audit(
            clock,
            actor,
            "patch",
            "deployments",
            group="apps",
            name=service.name,
            level="Request",
            body=body,
            query=query,
        )
        clock += float(world.rng.uniform(5, 25))
    world.ledger.lookalike("gitops", f"k8s-actor:{actor.name}", now, clock)
