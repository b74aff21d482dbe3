"""What Kubernetes objects within audit events say of workloads: their configuration and their addresses."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from features.fields import address_or_none, items, mapping, strings, text
from features.identity import kubernetes_workload
from features.images import image_columns
from features.pod_configuration import pod_tokens
from features.protocols import Row

# resource: the kind its template belongs to, and the way down to the pod spec
TEMPLATES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "deployments": ("Deployment", ("spec", "template", "spec")),
    "daemonsets": ("DaemonSet", ("spec", "template", "spec")),
    "statefulsets": ("StatefulSet", ("spec", "template", "spec")),
    "replicasets": ("ReplicaSet", ("spec", "template", "spec")),
    "replicationcontrollers": ("ReplicationController", ("spec", "template", "spec")),
    "jobs": ("Job", ("spec", "template", "spec")),
    "cronjobs": ("CronJob", ("spec", "jobTemplate", "spec", "template", "spec")),
}

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def config_rows(resource: str, namespace: str, manifest: Mapping[str, Any]) -> Iterator[Row]:
    """Give one row for each container of a pod or of a controller's template.

    Parameters
    ----------
    resource
        `pods` or one of `TEMPLATES`.
    manifest
        The object; a partial one gives rows for the containers it names.

    Raises
    ------
    RecordError
        If a field is of a type the API never holds.
    """
    spec = _pod_spec(resource, manifest)
    name = object_name(manifest)
    owner = controller(manifest)
    if resource in TEMPLATES and owner is None and name:
        owner = (TEMPLATES[resource][0], name)
    for entry in (entry for field in _CONTAINERS for entry in items(spec.get(field), field)):
        container = mapping(entry, "containers")
        called = text(container.get("name"), "containers.name")
        row: Row = {
            "kind": "config",
            "container_name": called,
            "config": pod_tokens(spec, container),
            **image_columns(text(container.get("image"), "containers.image")),
        }
        if called and (name or owner):
            row["workload"] = kubernetes_workload(namespace, name or "", called, owner)
        if resource == "pods" and name:
            row["container_id"] = f"{namespace}/{name}"
        yield row


def request_tokens(resource: str, namespace: str, manifest: Mapping[str, Any]) -> list[str]:
    """Flatten what an object that is asked for would allow: rights, bindings, certificates, ports, settings of pods.

    Parameters
    ----------
    resource
        What is asked for, without its subresource.
    manifest
        The object; a partial one gives the tokens of what it names.

    Raises
    ------
    RecordError
        If a field is of a type the API never holds.

    Examples
    --------
    >>> request_tokens("roles", "shop", {"rules": [{"verbs": ["get", "list"], "resources": ["secrets"]}]})
    ['Rule=get secrets', 'Rule=list secrets']
    """
    tokens: Iterable[str]
    if resource == "pods" or resource in TEMPLATES:
        tokens = _asked_of_pods(resource, namespace, manifest)
    else:
        tokens = _ALLOWING[resource](manifest) if resource in _ALLOWING else ()
    return sorted(set(tokens))


def _asked_of_pods(resource: str, namespace: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    # what a pod shares with its node is told even of one whose containers are not named
    yield from pod_tokens(_pod_spec(resource, manifest), {})
    yield from (token for row in config_rows(resource, namespace, manifest) for token in row["config"])


def _pod_spec(resource: str, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    _, way = TEMPLATES.get(resource, ("Pod", ("spec",)))
    for step in way:
        manifest = mapping(manifest.get(step), step)
    return manifest


def _rules(role: Mapping[str, Any]) -> Iterator[str]:
    for entry in items(role.get("rules"), "rules"):
        rule = mapping(entry, "rules")
        granted = product(strings(rule.get("verbs"), "verbs"), strings(rule.get("resources"), "resources"))
        yield from (f"Rule={verb} {resource}" for verb, resource in granted)


def _bound(binding: Mapping[str, Any]) -> Iterator[str]:
    if role := text(mapping(binding.get("roleRef"), "roleRef").get("name"), "roleRef.name"):
        yield f"RoleRef={role}"
    for entry in items(binding.get("subjects"), "subjects"):
        name = text(mapping(entry, "subjects").get("name"), "subjects.name")
        if name and name.startswith("system:"):  # other names say nothing of how many may now do it
            yield f"Subject={name}"


def _signed(request: Mapping[str, Any]) -> Iterator[str]:
    if signer := text(mapping(request.get("spec"), "spec").get("signerName"), "signerName"):
        yield f"Signer={signer}"


def _reachable(service: Mapping[str, Any]) -> Iterator[str]:
    spec = mapping(service.get("spec"), "spec")
    if kind := text(spec.get("type"), "spec.type"):
        yield f"ServiceType={kind}"
    yield from (f"ExternalIP={address}" for address in strings(spec.get("externalIPs"), "externalIPs"))


_ALLOWING: Mapping[str, Callable[[Mapping[str, Any]], Iterable[str]]] = {
    "roles": _rules,
    "clusterroles": _rules,
    "rolebindings": _bound,
    "clusterrolebindings": _bound,
    "certificatesigningrequests": _signed,
    "services": _reachable,
}


def object_name(manifest: Mapping[str, Any]) -> str | None:
    """Name in an object's metadata, if the API server has given it one."""
    return text(mapping(manifest.get("metadata"), "metadata").get("name"), "metadata.name")


def controller(manifest: Mapping[str, Any]) -> tuple[str, str] | None:
    """Kind and name of the owner that controls an object; without a controller, of its first owner."""
    metadata = mapping(manifest.get("metadata"), "metadata")
    owners = [mapping(owner, "ownerReferences") for owner in items(metadata.get("ownerReferences"), "ownerReferences")]
    owners.sort(key=lambda owner: owner.get("controller") is not True)
    for owner in owners:
        kind, name = text(owner.get("kind"), "owner.kind"), text(owner.get("name"), "owner.name")
        if kind and name and kind != "Node":  # a static pod's mirror is owned by its node
            return kind, name
    return None


def pod_addresses(pod: Mapping[str, Any]) -> list[str]:
    """Addresses of a pod's own; none for one on the node's network, whose address is the node's."""
    status = mapping(pod.get("status"), "status")
    if mapping(pod.get("spec"), "spec").get("hostNetwork") is True:
        return []
    several = [mapping(entry, "podIPs").get("ip") for entry in items(status.get("podIPs"), "podIPs")]
    found = (address_or_none(value) for value in (status.get("podIP"), *several))
    return sorted({address for address in found if address})


def pod_workload(namespace: str, name: str, pod: Mapping[str, Any]) -> str | None:
    """Workload of a pod's first container; none if the object does not name its containers."""
    for entry in items(mapping(pod.get("spec"), "spec").get("containers"), "containers"):
        if called := text(mapping(entry, "containers").get("name"), "containers.name"):
            return kubernetes_workload(namespace, name, called, controller(pod))
    return None
