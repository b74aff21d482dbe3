"""Acts upon the Kubernetes API: whoever holds a token or a kubeconfig asks, and the API server audits it."""

from collections.abc import Callable
from typing import Any

from features.identity import kubernetes_workload
from features.kubernetes_objects import TEMPLATES, config_rows
from service.emulation.estate.cast import Cast
from service.emulation.estate.ids import iso, kube_suffix, uuid
from service.emulation.estate.kube import Actor, account
from service.emulation.estate.world import World
from service.emulation.steps import Audit

_GROUPS = {
    "deployments": "apps", "daemonsets": "apps", "replicasets": "apps", "jobs": "batch", "cronjobs": "batch",
    "clusterroles": "rbac.authorization.k8s.io", "clusterrolebindings": "rbac.authorization.k8s.io",
    "selfsubjectaccessreviews": "authorization.k8s.io", "selfsubjectrulesreviews": "authorization.k8s.io",
    "certificatesigningrequests": "certificates.k8s.io",
    "mutatingwebhookconfigurations": "admissionregistration.k8s.io",
}  # fmt: skip
_OF_THE_CLUSTER = {
    "nodes", "namespaces", "persistentvolumes", "clusterroles", "clusterrolebindings", "selfsubjectaccessreviews",
    "selfsubjectrulesreviews", "certificatesigningrequests", "mutatingwebhookconfigurations",
}  # fmt: skip
_SESSIONS = {"exec", "attach", "portforward"}


def ask(cast: Cast, now: float, step: Audit) -> None:
    """Put the requests of a step into the queue, the first of them now."""
    if cast.world.cluster is None:
        raise LookupError(f"{cast.scenario.id} asks a Kubernetes API and the estate has none")
    _actor(cast, step)
    clock = now
    for number in range(step.count):
        cast.world.at(clock, _request, cast, step, number)
        cast.lasts(clock + 1)
        clock += step.every * float(cast.rng.uniform(0.7, 1.3))


def _request(world: World, now: float, cast: Cast, step: Audit, number: int) -> None:
    verb, resource = (several[number % len(several)] for several in (step.verbs, step.resources))
    session, writes = step.subresource in _SESSIONS, verb in {"create", "update", "patch"}
    space = "" if step.namespace == "all" or resource in _OF_THE_CLUSTER else step.namespace
    space = world.cluster.namespace if space == "own" else space
    words = _words(cast)
    name, body = _said(step.name, words), _said(step.body, words)
    actor = _actor(cast, step)
    details: dict[str, Any] = {
        "namespace": space, "name": name, "sub": step.subresource, "query": _said(step.query, words),
        "group": step.group or _GROUPS.get(resource, ""), "agent": step.agent or actor.agent,
        "address": _address(cast, step, actor), "code": step.code,
    }  # fmt: skip
    if step.code == 200 and session:
        details |= {"code": 101, "stage": "ResponseStarted"}
    elif step.code == 200 and verb == "create":
        details["code"] = 201
    if verb == "list" and not step.query:
        details["query"] = "?limit=500"
    if body and writes:
        details |= _told(cast, step, body, now, name=name, space=space)
    world.cluster.audit(now, actor, verb, resource, **details)
    _shown(cast, step, resource, details)
    if verb == "create" and not step.subresource and step.code < 400 and body:
        _obeyed(world, now, resource, name, space, details["reply"])


def _told(cast: Cast, step: Audit, body: dict[str, Any], now: float, *, name: str, space: str) -> dict[str, Any]:
    """Say what the API server writes of an object: all of it for an object, the request alone for a subresource."""
    if step.subresource:
        return {"body": body, "level": "Request"}
    meta = {"name": name, **({"namespace": space} if space else {}), **body.get("metadata", {})}
    body = {**body, "metadata": meta}
    reply = {**body, "metadata": {**meta, "uid": uuid(cast.rng), "creationTimestamp": iso(now)}}
    return {"body": body, "reply": reply, "level": "RequestResponse"}


def _shown(cast: Cast, step: Audit, resource: str, details: dict[str, Any]) -> None:
    """Note who shows a request: in a session the pod it goes to, and what a manifest configures."""
    name, space = details["name"], details["namespace"]
    if resource == "pods" and step.subresource and cast.victim and name in {p.name for p in cast.victim.containers}:
        cast.shows(cast.victim.workload)
    if "container=" in details["query"]:
        container = details["query"].split("container=", 1)[1].split("&", 1)[0]
        cast.shows(kubernetes_workload(space, name, container))
    if "body" in details and (resource == "pods" or resource in TEMPLATES):
        manifest = {**details["body"], "metadata": {"name": name, **details["body"].get("metadata", {})}}
        cast.shows(*(row["workload"] for row in config_rows(resource, space or "default", manifest)))


def _obeyed(world: World, now: float, resource: str, name: str, space: str, reply: dict[str, Any]) -> None:
    """Let the control plane do what an accepted object asks for: bind a pod, start one per node."""
    cluster = world.cluster
    if resource == "pods":
        node = reply["spec"].get("nodeName") or world.pick(list(cluster.nodes))
        cluster.bind(now + 0.1, name, reply["metadata"]["uid"], node, namespace=space)
    if resource != "daemonsets":
        return
    uid = reply["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": name, "uid": uid, "controller": True}
    for number, node in enumerate(cluster.nodes):
        pod, uid = f"{name}-{kube_suffix(world.rng, 5)}", uuid(world.rng)
        meta = {"generateName": f"{name}-", "namespace": space, "ownerReferences": [owner]}
        body = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": reply["spec"]["template"]["spec"]}
        full = {**body, "metadata": {**meta, "name": pod, "uid": uid}}
        clock = now + 0.5 + 0.3 * number
        controller = cluster.manager("daemon-set-controller")
        cluster.audit(clock, controller, "create", "pods", level="RequestResponse", body=body, reply=full, name=pod,
                      namespace=space)  # fmt: skip
        cluster.bind(clock + 0.1, pod, uid, node, namespace=space)


def _actor(cast: Cast, step: Audit) -> Actor:
    """Return who asks, the same one in all steps of a scenario."""
    cluster, known = cast.world.cluster, cast.known
    if step.user not in known:
        if step.user == "person":
            known["person"] = cast.world.pick(cluster.people[1:] or cluster.people)
        elif step.user == "anonymous":
            known["anonymous"] = Actor("system:anonymous", (), "", "Go-http-client/2.0")
        else:
            service, robot = cast.victim, cluster.robots.get(cast.victim.name if cast.victim else "")
            agent = robot[0].agent if robot else "app/v3 (linux/amd64) kubernetes/$Format"
            name = _made(cast) if step.user == "new" or service is None else service.name
            space = "kube-system" if step.user == "new" else cluster.namespace
            known[step.user] = account(space, name, "", agent)
    cast.shows(f"k8s-actor:{known[step.user].name}")
    actor: Actor = known[step.user]
    return actor


def _address(cast: Cast, step: Audit, actor: Actor) -> str:
    world, known = cast.world, cast.known
    if step.source == "outside":
        if "outside" not in known:
            known["outside"] = world.outside.stranger().addresses[0]
        return str(known["outside"])
    if step.source == "pod":
        others = [s for s in world.cluster.services[:-1] if s is not cast.victim and s.containers]
        if others and ("pod" not in known or known["pod"] not in others):
            known["pod"] = world.pick(others)
        return str(known["pod"].containers[0].address) if others else str(cast.container("victim").address)
    return actor.address or str(cast.container("victim").address)


def _made(cast: Cast) -> str:
    if "made" not in cast.known:
        cast.known["made"] = f"{cast.world.outside.word()}-{cast.world.pick(['agent', 'sync', 'helper', 'probe'])}"
    return str(cast.known["made"])


def _words(cast: Cast) -> dict[str, Callable[[], str]]:
    victim, world = cast.victim, cast.world
    return {
        "{pod}": lambda: cast.container("victim").name, "{service}": lambda: victim.name if victim else "",
        "{image}": lambda: victim.image if victim else "", "{namespace}": lambda: world.cluster.namespace,
        "{node}": lambda: cast.container("victim").host, "{made}": lambda: _made(cast), "{word}": world.outside.word,
    }  # fmt: skip


def _said(value: Any, words: dict[str, Callable[[], str]]) -> Any:  # noqa: ANN401 -- a text, or a JSON document
    if isinstance(value, str):
        for word, meant in words.items():
            if word in value:
                value = value.replace(word, meant())
        return value
    if isinstance(value, dict):
        return {key: _said(item, words) for key, item in value.items()}
    return [_said(item, words) for item in value] if isinstance(value, list | tuple) else value


ACTS: dict[type, Callable[[Cast, float, Any], None]] = {Audit: ask}
