"""Runtime configuration of Docker containers as a set of `Field=value` tokens.

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
_RENAMED = {"default": "bridge"}  # newer engines write what the default is
_FLAGS = ("Privileged", "PublishAllPorts", "ReadonlyRootfs", "AutoRemove", "Init")
_SIZES = ("Memory", "NanoCpus", "PidsLimit", "OomScoreAdj")
_LISTS = ("DeviceCgroupRules", "ExtraHosts", "Dns", "VolumesFrom")
_NESTED_MODES = (("RestartPolicy", "Name", "no"), ("LogConfig", "Type", "json-file"))


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
    yield from (f"{field}=true" for field in _FLAGS if host.get(field) is True)
    yield from _modes(host)
    for field in _SIZES:
        value = host.get(field)
        if isinstance(value, int | float) and value:
            yield f"{field}={value:.0f}"
    for field in _LISTS:
        yield from (f"{field}={value}" for value in strings(host.get(field), field))
    for field in ("CapAdd", "CapDrop"):
        yield from (f"{field}={capability(name)}" for name in strings(host.get(field), field))
    yield from (f"SecurityOpt={security_option(option)}" for option in strings(host.get("SecurityOpt"), "SecurityOpt"))
    yield from (f"Sysctl={key}={value}" for key, value in mapping(host.get("Sysctls"), "Sysctls").items())
    for device in items(host.get("Devices"), "Devices"):
        if path := text(mapping(device, "Devices").get("PathOnHost"), "Devices.PathOnHost"):
            yield f"Device={path}"
    for field in ("MaskedPaths", "ReadonlyPaths"):
        if field in host and not strings(host[field], field):
            yield f"{field}=none"


def _modes(host: Mapping[str, Any]) -> Iterable[str]:
    for field, ordinary in _MODES.items():
        if (mode := text(host.get(field), field)) and mode not in ordinary:
            # a container's or a pod's id in the mode would make every re-creation a change
            yield f"{field}={_RENAMED.get(mode, mode.partition(':')[0])}"
    for field, key, default in _NESTED_MODES:
        mode = text(mapping(host.get(field), field).get(key), f"{field}.{key}")
        if mode and mode != default:
            yield f"{field}={mode}"


def capability(name: str) -> str:
    """Name a capability in one form: `CAP_SYS_ADMIN` and `sys_admin` are `SYS_ADMIN`."""
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
        if fields.get("Type") == "tmpfs":
            named = "tmpfs"
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
        if joined := words(config.get(field), field):
            yield f"{field}={joined}"
    for variable in strings(config.get("Env"), "Env"):
        yield f"EnvKey={variable.partition('=')[0]}"
    yield from (f"Label={key}" for key in mapping(config.get("Labels"), "Labels"))
    yield from (f"ExposedPort={key}" for key in mapping(config.get("ExposedPorts"), "ExposedPorts"))
    if image := text(config.get("Image"), "Image"):
        yield f"Image={image_name(image)}"
    if command := healthcheck(config.get("Healthcheck")):
        yield f"Healthcheck={command}"


def words(value: object, field: str) -> str:
    """Join the words of a command; an old engine wrote one word as a string."""
    if isinstance(value, str):
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
