# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
# ruff: noqa: E501 -- tables and wire forms stay in rows
"""The full object that `docker inspect` prints for one container."""

from typing import Any

from service.emulation.estate.ids import iso_nano

_NEVER = "0001-01-01T00:00:00Z"
_MASKED = [
    "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
]  # fmt: skip
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
_HOST_CONFIG: dict[str, Any] = {
    "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}}, "NetworkMode": "bridge",
    "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": False,
    "VolumeDriver": "", "VolumesFrom": None, "CapAdd": None, "CapDrop": None, "CgroupnsMode": "private", "Dns": [],
    "DnsOptions": [], "DnsSearch": [], "ExtraHosts": None, "GroupAdd": None, "IpcMode": "private", "Cgroup": "",
    "Links": None, "OomScoreAdj": 0, "PidMode": "", "Privileged": False, "PublishAllPorts": False,
    "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "", "UsernsMode": "", "ShmSize": 67108864,
    "Runtime": "runc", "ConsoleSize": [0, 0], "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
    "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [], "CpuPeriod": 0, "CpuQuota": 0, "CpusetCpus": "",
    "Devices": [], "DeviceCgroupRules": None, "DeviceRequests": None, "KernelMemory": 0, "MemoryReservation": 0,
    "MemorySwap": 0, "MemorySwappiness": None, "OomKillDisable": None, "PidsLimit": None, "Ulimits": None,
    "MaskedPaths": _MASKED, "ReadonlyPaths": _READ_ONLY,
}  # fmt: skip


def snapshot(container: Any, *, running: bool) -> dict[str, Any]:
    c, spec = container, container.spec
    mode = spec.network if spec.network in {"host", "none"} or spec.network.startswith("container:") else c.network
    host_config = {**_HOST_CONFIG, "NetworkMode": mode, **spec.settings}
    if host_config["Privileged"]:
        host_config |= {"MaskedPaths": None, "ReadonlyPaths": None, "SecurityOpt": ["label=disable"]}
    command = spec.command or ["/app/entrypoint"]
    data = f"/var/lib/docker/containers/{c.id}"
    return {
        "Id": c.id, "Created": iso_nano(c.created), "Path": command[0], "Args": command[1:], "State": _state(c, running=running),
        "Image": c.digest, "ResolvConfPath": f"{data}/resolv.conf", "HostnamePath": f"{data}/hostname",
        "HostsPath": f"{data}/hosts", "LogPath": f"{data}/{c.id}-json.log", "Name": f"/{c.name}",
        "RestartCount": c.restarts, "Driver": "overlay2", "Platform": "linux", "MountLabel": "", "ProcessLabel": "",
        "AppArmorProfile": "unconfined" if host_config["Privileged"] else "docker-default", "ExecIDs": None,
        "HostConfig": host_config, "GraphDriver": {"Data": None, "Name": "overlay2"},
        "Mounts": _mounts(spec), "Config": _config(c, command), "NetworkSettings": _network(c, mode, running=running),
    }  # fmt: skip


def _state(c: Any, *, running: bool) -> dict[str, Any]:
    state = {
        "Status": "running" if running else "created", "Running": running, "Paused": False, "Restarting": False,
        "OOMKilled": False, "Dead": False, "Pid": c.pid if running else 0, "ExitCode": 0, "Error": "",
        "StartedAt": iso_nano(c.started) if running else _NEVER, "FinishedAt": _NEVER,
    }  # fmt: skip
    if running and c.spec.health:
        state["Health"] = {"Status": "starting", "FailingStreak": 0, "Log": []}
    return state


def _config(c: Any, command: list[str]) -> dict[str, Any]:
    spec = c.spec
    return {
        "Hostname": spec.hostname or c.id[:12], "Domainname": "", "User": spec.user, "AttachStdin": False,
        "AttachStdout": spec.tty, "AttachStderr": spec.tty, "ExposedPorts": {f"{p}/tcp": {} for p in spec.ports} or None,
        "Tty": spec.tty, "OpenStdin": spec.tty, "StdinOnce": False,
        "Env": [f"{key}={value}" for key, value in spec.env.items()] + ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Cmd": command[1:] or None, "Healthcheck": {"Test": ["CMD-SHELL", spec.health], "Interval": 30000000000} if spec.health else None,
        "Image": spec.image, "Volumes": None, "WorkingDir": "/app", "Entrypoint": command[:1], "OnBuild": None,
        "Labels": spec.labels,
    }  # fmt: skip


def _mounts(spec: Any) -> list[dict[str, Any]]:
    mounts = []
    for bind in spec.settings.get("Binds") or []:
        source, target, *mode = bind.split(":")
        volume = not source.startswith("/")
        mount = {
            "Type": "volume" if volume else "bind",
            "Source": f"/var/lib/docker/volumes/{source}/_data" if volume else source,
            "Destination": target, "Mode": mode[0] if mode else "", "RW": "ro" not in mode,
            "Propagation": "" if volume else "rprivate",
        }  # fmt: skip
        mounts.append({**mount, "Name": source, "Driver": "local"} if volume else mount)
    return mounts


def _network(c: Any, mode: str, *, running: bool) -> dict[str, Any]:
    networks: dict[str, Any] = {}
    if not mode.startswith("container:"):
        addressed = running and mode not in {"host", "none"}
        gateway = c.address.rsplit(".", 1)[0] + ".1" if addressed else ""
        networks[mode] = {
            "IPAMConfig": None, "Links": None, "Aliases": [c.id[:12]] if addressed else None,
            "NetworkID": c.network_id if running else "", "EndpointID": c.endpoint if running else "", "Gateway": gateway,
            "IPAddress": c.address if addressed else "", "IPPrefixLen": 24 if addressed else 0, "IPv6Gateway": "",
            "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "MacAddress": c.mac if addressed else "", "DriverOpts": None,
        }  # fmt: skip
        for name, address in c.extra_networks.items():
            networks[name] = {**networks[mode], "IPAddress": address}
    bridge = networks.get("bridge", {})
    return {
        "Bridge": "", "SandboxID": c.endpoint if running else "", "HairpinMode": False, "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0, "Ports": {f"{p}/tcp": None for p in c.spec.ports} if running else {},
        "SecondaryIPAddresses": None, "SecondaryIPv6Addresses": None, "EndpointID": bridge.get("EndpointID", ""),
        "Gateway": bridge.get("Gateway", ""), "IPAddress": bridge.get("IPAddress", ""),
        "IPPrefixLen": bridge.get("IPPrefixLen", 0), "MacAddress": bridge.get("MacAddress", ""), "Networks": networks,
    }  # fmt: skip
