"""How dangerous settings are."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.events import frame
from features.extractors.config import extractor
from features.pod_configuration import pod_tokens
from features.posture import PRIVILEGED, carelessness, danger


def points(token: str) -> float:
    return float(pl.DataFrame({"config": [token]}).select(danger(pl.col("config"))).item())


def careless(tokens: list[str]) -> float:
    told = pl.DataFrame({"container": ["a"] * len(tokens), "config": tokens}, schema_overrides={"config": pl.String})
    return float(carelessness(told, ["container"])["careless"].sum())


@pytest.mark.parametrize(
    "token",
    [
        "Bind=/var/run/docker:/var/run/docker:rw",
        "Bind=/run/containerd/containerd.sock:/c.sock:rw",
        "Bind=/home/me/.aws/credentials:/c:ro",
        "Bind=/:/host:rw",
        "HostProcess=true",
    ],
)
def test_what_opens_the_host_is_a_privilege(token: str) -> None:
    """A way to the host or to its credentials is a privilege, below the paths that are listed too."""
    assert points(token) >= PRIVILEGED


@pytest.mark.parametrize("token", ["CapDrop=ALL", "AutoRemove=true", "Memory=1024", "Bind=data:/var/lib/app:rw"])
def test_what_opens_nothing_has_no_points(token: str) -> None:
    """A setting that takes rights away or gives none is no danger."""
    assert points(token) == 0.0


HARDENED = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}
OWN = {
    "image": "a",
    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}


def test_a_hardened_pod_lacks_nothing_and_a_bare_one_stays_below_a_privilege() -> None:
    """Missing safeguards have points, and all of them together are no privilege."""
    assert careless(pod_tokens(HARDENED, OWN)) == 0.0
    assert 0.0 < careless(pod_tokens({}, {"image": "a"})) < PRIVILEGED


@given(st.sets(st.sampled_from(pod_tokens(HARDENED, OWN))), st.sampled_from(pod_tokens(HARDENED, OWN)))
def test_a_safeguard_never_makes_a_container_more_careless(tokens: set[str], added: str) -> None:
    """Adding a safeguard lowers the points of what is missing, or leaves them."""
    told = sorted(tokens | {"Image=a"})

    assert careless(sorted({*told, added})) <= careless(told)


def test_an_api_server_without_a_flag_of_the_benchmark_is_more_careless() -> None:
    """A control-plane program is asked for the flags that its benchmark names."""
    with_flag = careless(["Entrypoint=kube-apiserver --profiling=false --client-ca-file=/ca"])

    assert careless(["Entrypoint=kube-apiserver --client-ca-file=/ca"]) > with_flag


def test_credentials_of_a_secret_in_the_environment_show_without_their_values() -> None:
    """Secrets that reach the environment are told by the variable's or the secret's name."""
    env = {"env": [{"name": "DB", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}
    every = {"envFrom": [{"secretRef": {"name": "all"}}]}

    assert pod_tokens({}, env | every) == ["EnvKey=DB", "EnvSecret=DB", "EnvSecret=all"]


def test_a_windows_pod_shows_its_user_and_its_host_process() -> None:
    """A container of Windows that runs in its host is told like a privileged one of Linux."""
    options = {"windowsOptions": {"hostProcess": True, "runAsUserName": "ContainerAdministrator"}}

    tokens = pod_tokens({"securityContext": options}, {})

    assert tokens == ["HostProcess=true", "User=ContainerAdministrator"]


def test_a_setting_that_takes_rights_away_is_no_new_setting() -> None:
    """A container that gains safeguards beside another setting is told by the other setting alone."""
    config = ["CapDrop=ALL", "Dns=10.0.0.9", "ReadonlyRootfs=true"]
    row = {"ts": datetime(2026, 1, 5, tzinfo=UTC), "kind": "config", "workload": "docker:a/b", "container_id": "c"}

    items = extractor.extract(frame([row | {"config": config}])).items

    assert items["item"].to_list() == ["Dns=10.0.0.9"]
