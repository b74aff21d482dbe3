"""What Kubernetes objects within audit events say of workloads: their configuration and their addresses."""

from collections.abc import Iterator, Mapping
from typing import Any

from features.fields import address_or_none, items, mapping, text
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
    kind, way = TEMPLATES.get(resource, ("Pod", ("spec",)))
    spec: Mapping[str, Any] = manifest
    for step in way:
        spec = mapping(spec.get(step), step)
    name = object_name(manifest)
    owner = controller(manifest)
    if resource in TEMPLATES and owner is None and name:
        owner = (kind, name)
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
