"""Builds within builds, and images fetched ahead of their use on every machine."""

import numpy as np

from service.emulation.estate.engine import Spec
from service.emulation.estate.ids import hex_id, uuid
from service.emulation.estate.jobs import finish, short_flows
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Shape, client
from service.emulation.estate.world import HOUR, World

_BUILDERS = (("gcr.io/kaniko-project/executor:v1.23.2", False), ("docker:27-dind", True))
_KANIKO = client("kaniko/v1.23.2")


def nested_build(world: World, now: float) -> None:
    """Build an image within a container of the CI, as kaniko does or a Docker engine of its own."""
    runners = world.role("ci-runner")
    owned = [s for s in world.services if s.kind == "compose" and s.repository.startswith("registry.corp")]
    if not runners or not owned:
        return
    rng, host, target = world.rng, runners[0].hosts[0], world.pick(owned)
    image, privileged = _BUILDERS[int(rng.random() < 0.5)]
    if rng.random() < 0.4 or image not in world.engines[host].local:
        world.pull(host, image, now)
    number = int(now) % 1_000_000
    labels = {"com.gitlab.gitlab-runner.job.id": str(number), "com.gitlab.gitlab-runner.type": "build"}
    command = ["--context=/workspace", f"--destination={target.repository}:nested-{number}"]
    spec = Spec(
        image, f"ci-nested-{number}", labels=labels, command=["dockerd-entrypoint.sh"] if privileged else command,
        env={"CI": "true", "CI_JOB_ID": str(number), "CI_COMMIT_SHA": hex_id(rng, 40)},
        settings={"Privileged": True} if privileged else {},
    )  # fmt: skip
    job = world.engines[host].run(spec, now + 2)
    lasts = float(np.clip(rng.lognormal(5.0, 0.5), 40, 900))
    mirror = world.outside.registries["hub-mirror.corp.example"]
    short_flows(
        world, job, (job.started + rng.uniform(1, lasts / 2, 6)).tolist(), mirror, _KANIKO, Shape(900, 9e6, 3, 1)
    )
    own = world.outside.registries["registry.corp.example"]
    short_flows(world, job, [job.started + lasts - 4], own, _KANIKO, Shape(3e7, 2_000, 3, 0.5))
    world.at(job.started + lasts - 2, _pushed, target.repository, f"nested-{number}", job.address)
    world.at(job.started + lasts, finish, job)
    world.ledger.lookalike("nested_build", f"docker:{host}/ci-nested", now, job.started + lasts)


def _pushed(world: World, now: float, repository: str, tag: str, address: str) -> None:
    world.new_tag(repository, tag, now, address=address, agent=_KANIKO.agent)


def nightly_builds(world: World) -> None:
    """Have the CI put other content under the same tag every night, and a job run from it."""
    host = world.pick(list(world.engines))
    for day in range(world.options.days):
        moment = world.options.start + day * DAY + 2.5 * HOUR + float(world.rng.uniform(0, 300))
        world.at(moment, _build_by_night, host)


def _build_by_night(world: World, now: float, host: str) -> None:
    runners = world.role("ci-runner")
    address = world.engines[runners[0].hosts[0]].address if runners else world.engines[host].address
    repository = "registry.corp.example/platform/smoke-tests"
    world.new_tag(repository, "nightly", now, address=address, agent=world.registry.engine_agent)
    world.pull(host, f"{repository}:nightly", now + 60)
    spec = Spec(f"{repository}:nightly", "smoke-tests", command=["pytest", "-q"], settings={"AutoRemove": True})
    job = world.engines[host].run(spec, now + 64)
    world.at(job.started + float(world.rng.uniform(60, 300)), finish, job)
    world.ledger.lookalike("nightly_build", f"docker:{host}/smoke-tests", now, job.started + 300)


def prepull_everywhere(world: World, now: float) -> None:
    """Fetch the next release's images on every machine at once, in the namespace by a DaemonSet that does nothing."""
    images = sorted({s.image for s in world.services})
    for host in world.engines:
        count = min(len(images), int(world.rng.integers(3, 9)))
        for number, reference in enumerate(world.rng.choice(images, count, replace=False).tolist()):
            world.pull(host, reference, now + 1 + number * float(world.rng.uniform(1, 4)))
        for workload in (f"host:{host}", f"ip:{world.engines[host].address}"):
            world.ledger.lookalike("prepull", workload, now, now + 40)
    if world.cluster is None:
        return
    cluster, service = world.cluster, world.pick(world.cluster.services[:-1])
    actor, name = cluster.robots["argocd"][0], "image-prepull"
    pod = {"initContainers": [{"name": "prepull", "image": service.image, "command": ["/bin/true"]}],
           "containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.9"}]}  # fmt: skip
    meta = {"name": name, "namespace": cluster.namespace, "uid": uuid(world.rng)}
    body = {"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": meta, "spec": {"template": {"spec": pod}}}
    said = {"level": "RequestResponse", "body": body, "reply": body}
    cluster.audit(now, actor, "create", "daemonsets", group="apps", name=name, **said)
    cluster.start_daemons(now, body)
    cluster.audit(now + 900, actor, "delete", "daemonsets", group="apps", name=name)
    world.ledger.lookalike("prepull", f"k8s:{cluster.namespace}/daemonset/{name}/prepull", now, now + 900)
