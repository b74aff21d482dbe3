# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
# ruff: noqa: E501 -- tables and wire forms stay in rows
"""One Kubernetes namespace as the API server audits it: pods that come and go, and who asked for them."""

from dataclasses import dataclass, field
from typing import Any

from service.emulation.estate.engine import Lease, Subnet
from service.emulation.estate.ids import digest, iso, iso_micro, kube_suffix, uuid
from service.emulation.estate.world import Service, World

NAMESPACE = "payments"
MANAGER = "kube-controller-manager/v1.30.2 (linux/amd64) kubernetes/39683505b/system:serviceaccount:kube-system:{}"
KUBECTL = "kubectl/v1.30.1 (linux/amd64) kubernetes/6911225"
_CONTROL = "10.0.1.10"


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

    def audit(self, now: float, actor: Actor, verb: str, resource: str, **details: Any) -> None:
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
            "user": {"username": actor.name, "groups": [*actor.groups, "system:unauthenticated" if actor.name == "system:anonymous" else "system:authenticated"]},
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
        self.bind(now + 0.1, name, pod.uid, node)
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
        service.containers.append(pod)
        service.leases.append(lease)
        return pod

    def bind(self, now: float, pod: str, uid: str, node: str, *, namespace: str = "") -> None:
        """Let the scheduler put a pod on a node."""
        space = namespace or self.namespace
        binding = {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": {"name": pod, "namespace": space, "uid": uid},
            "target": {"kind": "Node", "name": node},
        }
        scheduler = Actor(
            "system:kube-scheduler", (), _CONTROL, "kube-scheduler/v1.30.2 (linux/amd64) kubernetes/39683505b/scheduler"
        )
        self.audit(
            now, scheduler, "create", "pods", sub="binding", name=pod, namespace=space, level="Request", body=binding
        )

    def stop_pod(self, service: Service, pod: Pod, now: float, *, by: Actor | None = None) -> None:
        self.audit(now, by or self.manager("replicaset-controller"), "delete", "pods", name=pod.name, level="Metadata")
        self.audit(now + 3, self.kubelet(pod.node), "delete", "pods", name=pod.name, level="Metadata")
        pod.lease.end = now + 2
        self.nodes[pod.node].release(pod.address, now + 2)
        if pod in service.containers:
            service.containers.remove(pod)

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
            self.stop_pod(service, pod, now + 6 + 8 * i)
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
