"""Runtime configuration of Kubernetes pods, in the same `Field=value` tokens as that of Docker containers."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.configuration import capability, image_name, mount, words
from features.fields import items, mapping, strings, text, whole


def pod_tokens(pod_spec: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    """Flatten what a Kubernetes pod spec says of one of its containers, in the words of `docker_tokens`.

    Raises
    ------
    RecordError
        If a field is of a type the API never holds.

    Examples
    --------
    >>> pod_tokens({"hostPID": True}, {"image": "nginx:1.27", "securityContext": {"privileged": True}})
    ['Image=docker.io/library/nginx', 'PidMode=host', 'Privileged=true']
    """
    tokens = {*_pod_level(pod_spec), *_security(pod_spec, container), *_volumes(pod_spec, container)}
    return sorted({*tokens, *_container_level(container)})


def _pod_level(spec: Mapping[str, Any]) -> Iterable[str]:
    for field, mode in (("hostPID", "PidMode"), ("hostIPC", "IpcMode"), ("hostNetwork", "NetworkMode")):
        if spec.get(field) is True:
            yield f"{mode}=host"
    if spec.get("shareProcessNamespace") is True:
        yield "PidMode=pod"
    account = text(spec.get("serviceAccountName", spec.get("serviceAccount")), "serviceAccountName")
    if account and account != "default":
        yield f"ServiceAccount={account}"
    if spec.get("automountServiceAccountToken") is False:
        yield "AutomountToken=false"
    if runtime := text(spec.get("runtimeClassName"), "runtimeClassName"):
        yield f"Runtime={runtime}"
    restart = text(spec.get("restartPolicy"), "restartPolicy")
    if restart and restart != "Always":
        yield f"RestartPolicy={restart}"
    for name in strings(mapping(spec.get("dnsConfig"), "dnsConfig").get("nameservers"), "nameservers"):
        yield f"Dns={name}"
    for entry in items(spec.get("hostAliases"), "hostAliases"):
        alias = mapping(entry, "hostAliases")
        yield from (f"ExtraHosts={name}:{alias.get('ip')}" for name in strings(alias.get("hostnames"), "hostnames"))


_OWN_SETTINGS: tuple[tuple[str, object, str], ...] = (
    ("privileged", True, "Privileged=true"),
    ("readOnlyRootFilesystem", True, "ReadonlyRootfs=true"),
    ("allowPrivilegeEscalation", True, "AllowPrivilegeEscalation=true"),
    ("allowPrivilegeEscalation", False, "SecurityOpt=no-new-privileges"),
    ("procMount", "Unmasked", "MaskedPaths=none"),
)


def _security(spec: Mapping[str, Any], container: Mapping[str, Any]) -> Iterable[str]:
    pod, own = (mapping(of.get("securityContext"), "securityContext") for of in (spec, container))
    context = {**pod, **own}  # a container's own setting wins
    yield from (token for field, value, token in _OWN_SETTINGS if own.get(field) == value)
    if isinstance(user := context.get("runAsUser"), int):
        yield f"User={user}"
    yield from _windows({**_windows_options(pod), **_windows_options(own)})
    if context.get("runAsNonRoot") is True:
        yield "RunAsNonRoot=true"
    capabilities = mapping(own.get("capabilities"), "capabilities")
    for field, token in (("add", "CapAdd"), ("drop", "CapDrop")):
        yield from (f"{token}={capability(name)}" for name in strings(capabilities.get(field), field))
    yield from _profiles(context)
    for entry in items(pod.get("sysctls"), "sysctls"):
        sysctl = mapping(entry, "sysctls")
        yield f"Sysctl={sysctl.get('name')}={sysctl.get('value')}"


def _windows_options(context: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(context.get("windowsOptions"), "windowsOptions")


def _windows(options: Mapping[str, Any]) -> Iterable[str]:
    if options.get("hostProcess") is True:
        yield "HostProcess=true"
    if user := text(options.get("runAsUserName"), "runAsUserName"):
        yield f"User={user}"


def _profiles(context: Mapping[str, Any]) -> Iterable[str]:
    for field, option in (("seccompProfile", "seccomp"), ("appArmorProfile", "apparmor")):
        profile = mapping(context.get(field), field)
        if kind := text(profile.get("type"), f"{field}.type"):
            named = text(profile.get("localhostProfile"), f"{field}.localhostProfile")
            yield f"SecurityOpt={option}={named or kind.lower()}"


def _volumes(spec: Mapping[str, Any], container: Mapping[str, Any]) -> Iterable[str]:
    """Mounts of the node's own paths; other volumes belong to the orchestrator."""
    paths = {}
    for entry in items(spec.get("volumes"), "volumes"):
        volume = mapping(entry, "volumes")
        if path := text(mapping(volume.get("hostPath"), "hostPath").get("path"), "hostPath.path"):
            paths[text(volume.get("name"), "volumes.name")] = path
    for entry in items(container.get("volumeMounts"), "volumeMounts"):
        used = mapping(entry, "volumeMounts")
        if path := paths.get(text(used.get("name"), "volumeMounts.name")):
            where = text(used.get("mountPath"), "mountPath") or path
            yield mount(path, where, writable=used.get("readOnly") is not True)
    for entry in items(container.get("volumeDevices"), "volumeDevices"):
        yield f"Device={mapping(entry, 'volumeDevices').get('devicePath')}"


def _container_level(container: Mapping[str, Any]) -> Iterable[str]:
    yield from (
        token for field, token in (("tty", "Tty=true"), ("stdin", "OpenStdin=true")) if container.get(field) is True
    )
    for field, token in (("command", "Entrypoint"), ("args", "Cmd")):
        if command := words(container.get(field), field):
            yield f"{token}={command}"
    yield from _environment(container)
    limits = mapping(mapping(container.get("resources"), "resources").get("limits"), "limits")
    if (memory := limits.get("memory")) is not None:
        yield f"Memory={memory}"
    if (cpu := limits.get("cpu")) is not None:
        yield f"Cpu={cpu}"
    probe = mapping(mapping(container.get("livenessProbe"), "livenessProbe").get("exec"), "livenessProbe.exec")
    if command := words(probe.get("command"), "livenessProbe.exec.command"):
        yield f"Healthcheck={command}"
    if image := text(container.get("image"), "image"):
        yield f"Image={image_name(image)}"
    yield from _ports(container)


def _environment(container: Mapping[str, Any]) -> Iterable[str]:
    for entry in items(container.get("env"), "env"):
        variable = mapping(entry, "env")
        if key := text(variable.get("name"), "env.name"):
            yield f"EnvKey={key}"
            if mapping(variable.get("valueFrom"), "env.valueFrom").get("secretKeyRef"):
                yield f"EnvSecret={key}"
    for entry in items(container.get("envFrom"), "envFrom"):
        if name := text(mapping(mapping(entry, "envFrom").get("secretRef"), "secretRef").get("name"), "secretRef.name"):
            yield f"EnvSecret={name}"


def _ports(container: Mapping[str, Any]) -> Iterable[str]:
    for entry in items(container.get("ports"), "ports"):
        port = mapping(entry, "ports")
        if outside := whole(port.get("hostPort"), "hostPort", 65_535):
            address = text(port.get("hostIP"), "hostIP") or "0.0.0.0"  # noqa: S104 - what an absent address means
            protocol = (text(port.get("protocol"), "protocol") or "TCP").lower()
            yield f"Port={address}:{outside}->{port.get('containerPort')}/{protocol}"
