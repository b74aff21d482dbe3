"""Runtime configuration as a set of `Field=value` tokens, the same words for Docker containers and Kubernetes pods.

Only what departs from the default is a token, so that the difference of two sets is the drift between them. Values
of environment variables and of labels are never kept: they hold secrets.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from features.fields import items, mapping, strings, text, whole
from features.images import parse_image

_ANONYMOUS_VOLUME = re.compile(r"[0-9a-f]{64}")
_FIRST_EPHEMERAL_PORT = 32_768  # net.ipv4.ip_local_port_range of Linux

# fields whose value alone says it, with the values that mean nothing special
_MODES: Mapping[str, frozenset[str]] = {
    "PidMode": frozenset(),
    "IpcMode": frozenset({"private", "shareable"}),
    "UTSMode": frozenset(),
    "UsernsMode": frozenset(),
    "CgroupnsMode": frozenset({"private"}),
    "NetworkMode": frozenset(),
    "Runtime": frozenset({"runc"}),
}
_FLAGS = ("Privileged", "PublishAllPorts", "ReadonlyRootfs", "AutoRemove", "Init")
_SIZES = ("Memory", "NanoCpus", "PidsLimit", "OomScoreAdj")
_LISTS = ("DeviceCgroupRules", "ExtraHosts", "Dns")


def docker_tokens(inspect: Mapping[str, Any]) -> list[str]:
    """Flatten what `docker inspect` says of one container.

    Raises
    ------
    RecordError
        If a field is of a type the engine never writes.

    Examples
    --------
    >>> docker_tokens({"HostConfig": {"Privileged": True, "CapAdd": ["CAP_SYS_ADMIN"]}, "Config": {"User": "app"}})
    ['CapAdd=SYS_ADMIN', 'Privileged=true', 'User=app']
    """
    host = mapping(inspect.get("HostConfig"), "HostConfig")
    config = mapping(inspect.get("Config"), "Config")
    tokens = {*_host_tokens(host), *_mounts(host, inspect), *_ports(host), *_config_tokens(config)}
    return sorted(tokens)


def _host_tokens(host: Mapping[str, Any]) -> Iterable[str]:
    for field in _FLAGS:
        if host.get(field) is True:
            yield f"{field}=true"
    for field, ordinary in _MODES.items():
        if (mode := text(host.get(field), field)) and mode not in ordinary:
            # a container's or a pod's id in the mode would make every re-creation a change
            yield f"{field}={'container' if mode.startswith('container:') else mode}"
    for field in _SIZES:
        value = host.get(field)
        if isinstance(value, int | float) and value:
            yield f"{field}={value:.0f}"
    yield from (f"CapAdd={_capability(name)}" for name in strings(host.get("CapAdd"), "CapAdd"))
    yield from (f"CapDrop={_capability(name)}" for name in strings(host.get("CapDrop"), "CapDrop"))
    for option in strings(host.get("SecurityOpt"), "SecurityOpt"):
        yield f"SecurityOpt={security_option(option)}"
    for field in _LISTS:
        yield from (f"{field}={value}" for value in strings(host.get(field), field))
    yield from (f"VolumesFrom={value}" for value in strings(host.get("VolumesFrom"), "VolumesFrom"))
    for device in items(host.get("Devices"), "Devices"):
        if path := text(mapping(device, "Devices").get("PathOnHost"), "Devices.PathOnHost"):
            yield f"Device={path}"
    restart = text(mapping(host.get("RestartPolicy"), "RestartPolicy").get("Name"), "RestartPolicy.Name")
    if restart and restart != "no":
        yield f"RestartPolicy={restart}"
    driver = text(mapping(host.get("LogConfig"), "LogConfig").get("Type"), "LogConfig.Type")
    if driver and driver != "json-file":
        yield f"LogConfig={driver}"
    yield from (f"Sysctl={key}={value}" for key, value in sorted(mapping(host.get("Sysctls"), "Sysctls").items()))
    for field in ("MaskedPaths", "ReadonlyPaths"):
        if field in host and not strings(host[field], field):
            yield f"{field}=none"


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def security_option(option: str) -> str:
    """Write a security option in one form: a profile given in full becomes `custom`, `a:b` becomes `a=b`.

    Examples
    --------
    >>> [security_option(o) for o in ("seccomp:unconfined", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}')]
    ['seccomp=unconfined', 'seccomp=custom']
    """
    key, separator, value = option.partition("=")
    if not separator:
        key, separator, value = option.partition(":")
    if value.lstrip().startswith("{"):
        value = "custom"
    return f"{key}={value}" if separator else key


def _mounts(host: Mapping[str, Any], inspect: Mapping[str, Any]) -> Iterable[str]:
    for bind in strings(host.get("Binds"), "Binds"):
        source, _, rest = bind.partition(":")
        destination, _, mode = rest.partition(":")
        yield mount(source, destination or source, writable="ro" not in mode.split(","))
    for entry in items(inspect.get("Mounts"), "Mounts"):
        fields = mapping(entry, "Mounts")
        named = text(fields.get("Name"), "Mounts.Name") or text(fields.get("Source"), "Mounts.Source") or ""
        destination = text(fields.get("Destination"), "Mounts.Destination") or ""
        yield mount(named, destination, writable=fields.get("RW") is not False)


def mount(source: str, destination: str, *, writable: bool) -> str:
    """Write a mount as a token; the hash that names an anonymous volume is left out."""
    if _ANONYMOUS_VOLUME.fullmatch(source) or not source:
        source = "volume"
    return f"Bind={source}:{destination}:{'rw' if writable else 'ro'}"


def _ports(host: Mapping[str, Any]) -> Iterable[str]:
    for inside, bindings in mapping(host.get("PortBindings"), "PortBindings").items():
        for binding in items(bindings, "PortBindings"):
            fields = mapping(binding, "PortBindings")
            address = text(fields.get("HostIp"), "HostIp") or "0.0.0.0"  # noqa: S104 - what an empty address means
            outside = whole(fields.get("HostPort"), "HostPort", 65_535)
            shown = "ephemeral" if not outside or outside >= _FIRST_EPHEMERAL_PORT else outside
            yield f"Port={address}:{shown}->{inside}"


def _config_tokens(config: Mapping[str, Any]) -> Iterable[str]:
    for field in ("Tty", "OpenStdin"):
        if config.get(field) is True:
            yield f"{field}=true"
    if user := text(config.get("User"), "User"):
        yield f"User={user}"
    for field in ("Entrypoint", "Cmd"):
        if words := _words(config.get(field), field):
            yield f"{field}={words}"
    for variable in strings(config.get("Env"), "Env"):
        yield f"EnvKey={variable.partition('=')[0]}"
    yield from (f"Label={key}" for key in mapping(config.get("Labels"), "Labels"))
    yield from (f"ExposedPort={key}" for key in mapping(config.get("ExposedPorts"), "ExposedPorts"))
    if image := text(config.get("Image"), "Image"):
        yield f"Image={image_name(image)}"
    if command := healthcheck(config.get("Healthcheck")):
        yield f"Healthcheck={command}"


def _words(value: object, field: str) -> str:
    if isinstance(value, str):  # an old engine wrote one word as a string
        return value
    return " ".join(strings(value, field))


def healthcheck(value: object) -> str | None:
    """Give a health check's command as the engine writes it into the event of its execution.

    Examples
    --------
    >>> healthcheck({"Test": ["CMD-SHELL", "curl -f http://localhost/"]})
    '/bin/sh -c curl -f http://localhost/'
    """
    test = strings(mapping(value, "Healthcheck").get("Test"), "Healthcheck.Test")
    if not test:
        return None
    if test[0] == "CMD-SHELL":
        return " ".join(["/bin/sh -c", *test[1:]])
    return "none" if test[0] == "NONE" else " ".join(test[1:])


def image_name(reference: str) -> str:
    """Take registry and repository of an image reference, without tag and digest; `build` for a bare image id."""
    parts = parse_image(reference)
    return f"{parts.registry}/{parts.repository}" if parts.repository else "build"


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


def _security(spec: Mapping[str, Any], container: Mapping[str, Any]) -> Iterable[str]:
    pod, own = (mapping(of.get("securityContext"), "securityContext") for of in (spec, container))
    context = {**pod, **own}  # a container's own setting wins
    for field, token in (("privileged", "Privileged"), ("readOnlyRootFilesystem", "ReadonlyRootfs")):
        if own.get(field) is True:
            yield f"{token}=true"
    if own.get("allowPrivilegeEscalation") is True:
        yield "AllowPrivilegeEscalation=true"
    if own.get("allowPrivilegeEscalation") is False:
        yield "SecurityOpt=no-new-privileges"
    if own.get("procMount") == "Unmasked":
        yield "MaskedPaths=none"
    if isinstance(user := context.get("runAsUser"), int):
        yield f"User={user}"
    if context.get("runAsNonRoot") is True:
        yield "RunAsNonRoot=true"
    capabilities = mapping(own.get("capabilities"), "capabilities")
    for field, token in (("add", "CapAdd"), ("drop", "CapDrop")):
        yield from (f"{token}={_capability(name)}" for name in strings(capabilities.get(field), field))
    for field, option in (("seccompProfile", "seccomp"), ("appArmorProfile", "apparmor")):
        profile = mapping(context.get(field), field)
        if kind := text(profile.get("type"), f"{field}.type"):
            named = text(profile.get("localhostProfile"), f"{field}.localhostProfile")
            yield f"SecurityOpt={option}={named or kind.lower()}"
    for entry in items(pod.get("sysctls"), "sysctls"):
        sysctl = mapping(entry, "sysctls")
        yield f"Sysctl={sysctl.get('name')}={sysctl.get('value')}"


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
    for field, token in (("tty", "Tty"), ("stdin", "OpenStdin")):
        if container.get(field) is True:
            yield f"{token}=true"
    for field, token in (("command", "Entrypoint"), ("args", "Cmd")):
        if words := _words(container.get(field), field):
            yield f"{token}={words}"
    for entry in items(container.get("env"), "env"):
        if key := text(mapping(entry, "env").get("name"), "env.name"):
            yield f"EnvKey={key}"
    for entry in items(container.get("ports"), "ports"):
        port = mapping(entry, "ports")
        if outside := whole(port.get("hostPort"), "hostPort", 65_535):
            address = text(port.get("hostIP"), "hostIP") or "0.0.0.0"  # noqa: S104 - what an absent address means
            protocol = (text(port.get("protocol"), "protocol") or "TCP").lower()
            yield f"Port={address}:{outside}->{port.get('containerPort')}/{protocol}"
    limits = mapping(mapping(container.get("resources"), "resources").get("limits"), "limits")
    if (memory := limits.get("memory")) is not None:
        yield f"Memory={memory}"
    probe = mapping(mapping(container.get("livenessProbe"), "livenessProbe").get("exec"), "livenessProbe.exec")
    if words := _words(probe.get("command"), "livenessProbe.exec.command"):
        yield f"Healthcheck={words}"
    if image := text(container.get("image"), "image"):
        yield f"Image={image_name(image)}"
