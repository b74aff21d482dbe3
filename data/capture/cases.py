"""The emulated scenarios, declared: what each is, which workload it touches and what it is known as."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One emulated scenario.

    `techniques` are ATT&CK ids, the main one first; `family` is the kind of evidence that must show it, `chain` where
    several must; `note` says what is done; `also` names workloads that carry its traffic unattacked: the resolver
    asks the world for every name that another workload asks it for.
    """

    scenario: str
    family: str
    techniques: tuple[str, ...]
    workload: str
    note: str
    also: tuple[str, ...] = ()


RESOLVER = ("docker:ops/resolver",)
# In the order in which they are played.
CASES = (
    Case(
        "I01",
        "pulls",
        ("T1204.003", "T1610", "T1036.005", "T1071.001"),
        "docker:quay-1/kube-proxy-helper",
        "look-alike image from an unknown registry, restart always, HTTP beacon",
        RESOLVER,
    ),
    Case(
        "E01",
        "control",
        ("T1609", "T1059.013", "T1613"),
        "docker:shop/api",
        "ten recon commands by exec within seconds",
    ),
    Case(
        "D04",
        "config",
        ("T1610", "T1611", "T1562.001"),
        "docker:shop/web",
        "one of two replicas recreated: SYS_ADMIN, seccomp off, host PID, extra bind, LD_PRELOAD",
    ),
    Case(
        "N07",
        "network",
        ("T1071.004", "T1572"),
        "docker:shop/notify",
        "long random TXT names under one domain",
        RESOLVER,
    ),
    Case(
        "D01",
        "config",
        ("T1611", "T1610"),
        "docker:quay-1/host-tuner",
        "privileged container with the host's root bound; the start is refused",
    ),
    Case(
        "N05",
        "network",
        ("T1001.003", "T1573.002"),
        "docker:shop/worker",
        "real TLS with a vendor's name to an address that name never had",
    ),
    Case("E02", "control", ("T1105", "T1609"), "docker:shop/edge", "script copied in and run detached from /tmp"),
    Case(
        "N11",
        "network",
        ("T1095", "T1571", "T1059.004"),
        "docker:shop/db",
        "server-only database holds a raw connection to port 4444 outside",
    ),
    Case("N16", "network", ("T1046",), "docker:shop/web", "scan of the application subnet on eight ports"),
    Case(
        "N03",
        "network",
        ("T1001.003", "T1095", "T1571"),
        "docker:shop/cache",
        "text, not TLS, held open on port 443",
        RESOLVER,
    ),
    Case(
        "N17",
        "network",
        ("T1048.002", "T1567.002"),
        "docker:shop/db",
        "megabytes to a host whose name resembles the backup store",
        RESOLVER,
    ),
    Case(
        "I03",
        "pulls",
        ("T1525", "T1195.002", "T1071.001"),
        "docker:shop/worker",
        "same tag, new digest, pushed past the pipeline and rolled out; TLS beacon",
        RESOLVER,
    ),
    Case("D10", "control", ("T1562.001",), "docker:ops/logship", "log shipper paused for an hour"),
    Case(
        "C02",
        "chain",
        ("T1105", "T1609", "T1001.003", "T1048.002"),
        "docker:shop/api",
        "chain: exec drop, then borrowed name, then bulk upload",
        RESOLVER,
    ),
    Case(
        "N02",
        "network",
        ("T1001.003", "T1071.001"),
        "docker:shop/web",
        "HTTP beacon dressed as a browser that fetches jQuery",
        RESOLVER,
    ),
)
