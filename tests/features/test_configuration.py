import json
from pathlib import Path
from typing import Any

import pytest

from features.configuration import docker_tokens
from features.kubernetes_objects import TEMPLATES, config_rows
from features.pod_configuration import pod_tokens
from features.protocols import RecordError

PLAIN: dict[str, Any] = {
    "HostConfig": {
        "Binds": None,
        "Memory": 0,
        "NetworkMode": "default",
        "PortBindings": {},
        "CapAdd": None,
        "IpcMode": "private",
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "LogConfig": {"Type": "json-file"},
        "Runtime": "runc",
        "Privileged": False,
        "MaskedPaths": ["/proc/acpi"],
        "ReadonlyPaths": ["/proc/sys"],
        "CgroupnsMode": "private",
    },
    "Config": {"User": "", "Env": None, "Cmd": None, "Labels": {}, "Tty": False},
    "Mounts": [],
}


def tokens(host: dict[str, Any] | None = None, config: dict[str, Any] | None = None, **rest: object) -> set[str]:
    inspect = {
        **PLAIN,
        **rest,
        "HostConfig": {**PLAIN["HostConfig"], **(host or {})},
        "Config": {**PLAIN["Config"], **(config or {})},
    }
    return set(docker_tokens(inspect))


def test_plain_container_departs_from_the_default_only_in_its_network() -> None:
    """What everyone has is no token."""
    assert tokens() == {"NetworkMode=bridge"}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"Privileged": True}, {"Privileged=true"}),
        ({"MaskedPaths": None, "ReadonlyPaths": None}, {"MaskedPaths=none", "ReadonlyPaths=none"}),
        ({"CapAdd": ["CAP_SYS_ADMIN", "net_raw"]}, {"CapAdd=SYS_ADMIN", "CapAdd=NET_RAW"}),
        ({"SecurityOpt": ["seccomp=unconfined"]}, {"SecurityOpt=seccomp=unconfined"}),
        ({"SecurityOpt": ["apparmor:unconfined"]}, {"SecurityOpt=apparmor=unconfined"}),
        ({"PidMode": "host"}, {"PidMode=host"}),
        ({"PidMode": f"container:{'a' * 64}"}, {"PidMode=container"}),
        (
            {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]},
            {"Bind=/var/run/docker.sock:/var/run/docker.sock:rw"},
        ),
        ({"Binds": ["/:/host:ro,rslave"]}, {"Bind=/:/host:ro"}),
        ({"Devices": [{"PathOnHost": "/dev/kvm", "PathInContainer": "/dev/kvm"}]}, {"Device=/dev/kvm"}),
        ({"RestartPolicy": {"Name": "always"}}, {"RestartPolicy=always"}),
        ({"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}}, {"Port=0.0.0.0:8080->80/tcp"}),
        ({"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}, {"Port=127.0.0.1:ephemeral->80/tcp"}),
        ({"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "49153"}]}}, {"Port=0.0.0.0:ephemeral->80/tcp"}),
        ({"Memory": 314572800}, {"Memory=314572800"}),
        ({"LogConfig": {"Type": "none"}}, {"LogConfig=none"}),
        ({"Runtime": "runsc"}, {"Runtime=runsc"}),
        ({"Sysctls": {"net.ipv4.ip_forward": "1"}}, {"Sysctl=net.ipv4.ip_forward=1"}),
        ({"ReadonlyRootfs": True}, {"ReadonlyRootfs=true"}),
        ({"CgroupnsMode": "host"}, {"CgroupnsMode=host"}),
    ],
)
def test_each_departure_of_the_host_configuration_is_a_token(host: dict[str, Any], expected: set[str]) -> None:
    """A setting that widens or changes what the container may do is named in one fixed form."""
    assert tokens(host) - tokens() == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"User": "app"}, {"User=app"}),
        ({"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["sleep 1"]}, {"Entrypoint=/bin/sh -c", "Cmd=sleep 1"}),
        ({"Env": ["LD_PRELOAD=/tmp/x.so", "PASSWORD=hunter2"]}, {"EnvKey=LD_PRELOAD", "EnvKey=PASSWORD"}),
        ({"Labels": {"team": "secret project"}}, {"Label=team"}),
        (
            {"Healthcheck": {"Test": ["CMD", "curl", "-f", "http://localhost/"]}},
            {"Healthcheck=curl -f http://localhost/"},
        ),
        (
            {"Healthcheck": {"Test": ["CMD-SHELL", "curl -f x || exit 1"]}},
            {"Healthcheck=/bin/sh -c curl -f x || exit 1"},
        ),
        ({"Healthcheck": {"Test": ["NONE"]}}, {"Healthcheck=none"}),
        ({"Tty": True}, {"Tty=true"}),
        ({"Image": "registry.example:5000/shop/web:1.4"}, {"Image=registry.example:5000/shop/web"}),
    ],
)
def test_each_departure_of_the_container_configuration_is_a_token(config: dict[str, Any], expected: set[str]) -> None:
    """Keys of environment and labels are named, their values never are."""
    assert tokens(None, config) - tokens() == expected


def test_mounts_say_the_same_as_binds() -> None:
    """One mount, told of twice by the engine, is one token; anonymous volumes have no name of their own."""
    mount = {"Type": "bind", "Source": "/srv", "Destination": "/data", "RW": False}
    volume = {
        "Type": "volume",
        "Name": "0123456789abcdef" * 4,
        "Source": "/var/lib/x",
        "Destination": "/cache",
        "RW": True,
    }
    found = tokens({"Binds": ["/srv:/data:ro"]}, None, Mounts=[mount, volume])
    assert {token for token in found if token.startswith("Bind=")} == {"Bind=/srv:/data:ro", "Bind=volume:/cache:rw"}


def test_pods_speak_the_words_of_docker() -> None:
    """The same departure of a pod and of a Docker container is the same token."""
    spec = {
        "hostPID": True,
        "hostNetwork": True,
        "serviceAccountName": "builder",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "Unconfined"}},
        "volumes": [{"name": "root", "hostPath": {"path": "/"}}, {"name": "tmp", "emptyDir": {}}],
    }
    container = {
        "name": "app",
        "image": "shop/web:1.4",
        "command": ["/app"],
        "args": ["-v"],
        "env": [{"name": "PASSWORD", "value": "hunter2"}],
        "ports": [{"containerPort": 80, "hostPort": 8080}],
        "securityContext": {
            "privileged": True,
            "allowPrivilegeEscalation": True,
            "capabilities": {"add": ["SYS_ADMIN"]},
        },
        "volumeMounts": [{"name": "root", "mountPath": "/host"}, {"name": "tmp", "mountPath": "/scratch"}],
    }
    assert pod_tokens(spec, container) == sorted(
        [
            "AllowPrivilegeEscalation=true",
            "AutomountToken=false",
            "Bind=/:/host:rw",
            "CapAdd=SYS_ADMIN",
            "Cmd=-v",
            "Entrypoint=/app",
            "EnvKey=PASSWORD",
            "Image=docker.io/shop/web",
            "NetworkMode=host",
            "PidMode=host",
            "Port=0.0.0.0:8080->80/tcp",
            "Privileged=true",
            "SecurityOpt=seccomp=unconfined",
            "ServiceAccount=builder",
            "User=0",
        ]
    )


def test_defaults_that_the_api_server_fills_in_are_no_departure() -> None:
    """The object asked for and the object answered with give the same tokens."""
    asked = {"containers": [{"name": "app", "image": "nginx"}]}
    answered = {
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "serviceAccount": "default",
        "securityContext": {},
        "serviceAccountName": "default",
        "volumes": [{"name": "token", "secret": {"secretName": "x"}}],
    }
    filled = {
        "name": "app",
        "image": "nginx",
        "imagePullPolicy": "Always",
        "resources": {},
        "securityContext": {"privileged": False},
        "volumeMounts": [
            {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "token", "readOnly": True}
        ],
    }
    assert (
        pod_tokens(asked, asked["containers"][0]) == pod_tokens(answered, filled) == ["Image=docker.io/library/nginx"]
    )


def test_wrong_types_are_refused() -> None:
    """A field of a type the engine never writes is an error with its name."""
    with pytest.raises(RecordError, match="CapAdd"):
        tokens({"CapAdd": "ALL"})


CONTROLS = {
    "host-pid-ipc-privileges": ("PidMode=host", "IpcMode=host"),
    "host-network-access": ("NetworkMode=host",),
    "privileged-container": ("Privileged=true", "CapAdd=SYS_ADMIN"),
    "rule-privileged-container": ("Privileged=true", "CapAdd=SYS_ADMIN"),
    "alert-any-hostpath": ("Bind=",),
    "alert-rw-hostpath": ("Bind=",),
}


def test_labelled_posture_cases_show_in_the_tokens(shared: Path) -> None:
    """Each labelled violation of a control about hosts and privileges is visible in a token."""
    path = shared / "labelled" / "podspec" / "workloads_labelled.jsonl"
    if not path.is_file():
        pytest.skip("needs ../shared/data/labelled/podspec")
    checked = 0
    for line in path.read_text().splitlines():
        case = json.loads(line)
        if case["rule"] not in CONTROLS or not case["violates"]:
            continue
        found = [
            token
            for manifest in case["objects"]
            for row in config_rows(_resource(manifest["kind"]), "default", manifest)
            for token in row["config"]
        ]
        assert any(token.startswith(CONTROLS[case["rule"]]) for token in found), (case["rule"], case["test"], found)
        checked += 1
    assert checked >= 10


def _resource(kind: str) -> str:
    return next((resource for resource, (name, _) in TEMPLATES.items() if name == kind), "pods")
