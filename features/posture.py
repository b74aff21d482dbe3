"""How dangerous a container's settings are, by rules that published standards state.

Two kinds of rules: a setting that is dangerous where it stands, and one that is dangerous where it is missing. What is
missing weighs little against an open host: a fleet without limits is careless, not compromised. The rules follow the
Kubernetes Pod Security Standards (PSS), the CIS Kubernetes Benchmark (CIS), the Kubernetes Hardening Guide of NSA and
CISA (NSA), and techniques of MITRE ATT&CK; none was fitted to labels.
"""

from dataclasses import dataclass

import polars as pl

from features.dangers import matching

PRIVILEGED = 3.0  # points from which a setting opens the host or hides from it
CARELESS = 0.25  # points of a missing safeguard: thirty-two of them weigh as much as one open host

# Settings that only take rights away: gaining one is no news of danger, and losing one shows in what is missing.
SAFEGUARD = r"^(CapDrop=|ReadonlyRootfs=true|RunAsNonRoot=true|AutomountToken=false|SecurityOpt=no-new-privileges)"


@dataclass(frozen=True)
class Dangerous:
    """A setting that is dangerous where it stands: points, pattern of its token, source."""

    points: float
    pattern: str
    source: str


@dataclass(frozen=True)
class Missing:
    """A safeguard that a container lacks: pattern of what it concerns, pattern of the safeguard, source."""

    of: str
    safeguard: str
    source: str


# The first that fits a token speaks for it.
DANGEROUS = (
    Dangerous(8.0, r"^(Privileged|HostProcess)=true", "PSS baseline, T1611"),
    Dangerous(8.0, r"^(PidMode|IpcMode|UTSMode|UsernsMode|NetworkMode)=host", "PSS baseline, CIS 5.2.3 to 5.2.5"),
    Dangerous(8.0, r"^Bind=/(\.\.|\./)*:", "PSS baseline, T1611"),
    Dangerous(
        8.0, r"^Bind=/(etc|root|proc|sys|var|var/run|run|home|dev|boot|usr|lib)(/\.\.|/)*:", "PSS baseline, T1611"
    ),
    Dangerous(8.0, r"^Bind=(/var)?/run/(docker|containerd|crio|podman)(/|:)", "CIS 5.2.12, T1611"),
    Dangerous(
        8.0,
        r"^Bind=.*(docker\.sock|containerd\.sock|crio\.sock|/etc/|/root/|/var/lib/(kubelet|docker|etcd)|/var/spool/cron"
        r"|core_pattern)",
        "PSS baseline, T1611",
    ),
    Dangerous(8.0, r"^Bind=[^:]*/\.(aws|azure|kube|docker|ssh|gnupg|config/gcloud)(/|:)", "NSA, T1552.001"),
    Dangerous(
        6.0,
        r"^CapAdd=(ALL|SYS_ADMIN|SYS_MODULE|SYS_PTRACE|SYS_RAWIO|DAC_READ_SEARCH|BPF|NET_ADMIN|SYS_BOOT|SYS_CHROOT)",
        "PSS baseline, CIS 5.2.8",
    ),
    Dangerous(6.0, r"^SecurityOpt=.*(unconfined|disable)", "PSS baseline"),
    Dangerous(6.0, r"^(Device|DeviceCgroupRules?|VolumesFrom)=", "T1611"),
    Dangerous(5.0, r"^EnvKey=(LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT)$", "T1574.006"),
    Dangerous(5.0, r"^(MaskedPaths|ReadonlyPaths)=none", "PSS baseline"),
    Dangerous(5.0, r"^(PidMode|IpcMode|NetworkMode)=container", "T1611"),
    Dangerous(5.0, r"^LogConfig=none", "T1562.012"),
    Dangerous(4.0, r"^AllowPrivilegeEscalation=true", "PSS restricted, CIS 5.2.6"),
    Dangerous(3.0, r"^CapAdd=", "PSS restricted, CIS 5.2.9"),
    Dangerous(3.0, r"^(CgroupnsMode|Runtime|Sysctl|Port|PublishAllPorts|HostPort)=", "PSS baseline, CIS 5.2.13"),
    Dangerous(2.0, r"^User=(0|root|ContainerAdministrator)(:|$)", "PSS restricted, CIS 5.2.7"),
    Dangerous(2.0, r"^(Entrypoint|Cmd)=(.*[ /])?sudo( |$)", "T1548.003"),
    Dangerous(
        1.0,
        r"kube-apiserver.* --(token-auth-file=|authorization-mode=\S*AlwaysAllow|service-account-lookup=false"
        r"|enable-admission-plugins=\S*AlwaysAdmit|disable-admission-plugins=\S*(ServiceAccount|NamespaceLifecycle))",
        "CIS 1.2.2, 1.2.6, 1.2.10, 1.2.12, 1.2.13, 1.2.21",
    ),
    Dangerous(1.0, r"etcd.* --(peer-)?auto-tls(=true| |$)", "CIS 2.3, 2.6"),
    Dangerous(0.5, r"^EnvSecret=", "CIS 5.4.1, T1552.007"),
    Dangerous(0.5, r"(?i)^EnvKey=.*(passw|secret|token|api_?key|private_?key|credential)", "CIS 5.4.1, T1552.007"),
)


def _flags(program: str, **sections: str) -> tuple[Missing, ...]:
    """Name the flags a program of the control plane must carry, by section of the CIS benchmark."""
    of = rf"^(Entrypoint|Cmd)=(\S*/)?{program}( |$)"
    return tuple(
        Missing(of, rf" --{flag}", f"CIS {section[1:].replace('_', '.')}")
        for section, flags in sections.items()
        for flag in flags.split()
    )


_CONTAINER = r"^Image="
MISSING = (
    Missing(_CONTAINER, r"^(User=[^0r]|RunAsNonRoot=true)", "PSS restricted, CIS 5.2.7"),
    Missing(_CONTAINER, r"^SecurityOpt=(seccomp|apparmor|label)=", "PSS restricted, CIS 5.7.2"),
    Missing(_CONTAINER, r"^SecurityOpt=no-new-privileges", "PSS restricted, CIS 5.2.6"),
    Missing(_CONTAINER, r"^CapDrop=", "PSS restricted, CIS 5.2.10"),
    Missing(_CONTAINER, r"^Memory=", "NSA, T1499"),
    Missing(_CONTAINER, r"^(Cpu|NanoCpus)=", "NSA, T1499"),
    Missing(_CONTAINER, r"^ReadonlyRootfs=true", "NSA"),
    Missing(_CONTAINER, r"^AutomountToken=false", "CIS 5.1.6, T1528"),
    *_flags(
        "kube-apiserver",
        _1_2_1="anonymous-auth=false",
        _1_2_3=r"enable-admission-plugins=\S*DenyServiceExternalIPs",
        _1_2_4="kubelet-client-certificate= kubelet-client-key=",
        _1_2_5="kubelet-certificate-authority=",
        _1_2_7=r"authorization-mode=\S*Node",
        _1_2_8=r"authorization-mode=\S*RBAC",
        _1_2_9=r"enable-admission-plugins=\S*EventRateLimit",
        _1_2_11=r"enable-admission-plugins=\S*AlwaysPullImages",
        _1_2_14=r"enable-admission-plugins=\S*NodeRestriction",
        _1_2_15="profiling=false",
        _1_2_16="audit-log-path=",
        _1_2_17="audit-log-maxage=",
        _1_2_18="audit-log-maxbackup=",
        _1_2_19="audit-log-maxsize=",
        _1_2_22="service-account-key-file=",
        _1_2_23="etcd-certfile= etcd-keyfile=",
        _1_2_24="tls-cert-file= tls-private-key-file=",
        _1_2_25="client-ca-file=",
        _1_2_26="etcd-cafile=",
        _1_2_27="encryption-provider-config=",
        _1_2_29="tls-cipher-suites=",
        _1_2_30="service-account-extend-token-expiration=false",
    ),
    *_flags(
        "kube-controller-manager",
        _1_3_1="terminated-pod-gc-threshold=",
        _1_3_2="profiling=false",
        _1_3_3="use-service-account-credentials=true",
        _1_3_4="service-account-private-key-file=",
        _1_3_5="root-ca-file=",
        _1_3_6=r"feature-gates=\S*RotateKubeletServerCertificate=true",
        _1_3_7=r"bind-address=127\.0\.0\.1",
    ),
    *_flags("kube-scheduler", _1_4_1="profiling=false", _1_4_2=r"bind-address=127\.0\.0\.1"),
    *_flags(
        "etcd",
        _2_1="cert-file= key-file=",
        _2_2="client-cert-auth=true",
        _2_4="peer-cert-file= peer-key-file=",
        _2_5="peer-client-cert-auth=true",
        _2_7="trusted-ca-file=",
    ),
)


def danger(token: pl.Expr) -> pl.Expr:
    """Give the points of one setting, at least 0."""
    points = pl.lit(0.0)
    for rule in reversed(DANGEROUS):
        points = pl.when(token.str.contains(rule.pattern)).then(pl.lit(rule.points)).otherwise(points)
    return points


def carelessness(tokens: pl.DataFrame, container: list[str]) -> pl.DataFrame:
    """Give the points of what each container lacks, by the columns that name a container, as `careless`."""
    told = tokens.select(*container, "config")
    concerned, safe = safeguards(told["config"])
    lacking = (
        told.join(concerned, on="config")
        .select(*container, "number")
        .unique()
        .join(told.join(safe, on="config"), on=[*container, "number"], how="anti")
    )
    return lacking.group_by(container).agg((pl.len() * CARELESS).alias("careless"))


def safeguards(tokens: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give which rules of `MISSING` concern which tokens, and which tokens satisfy them: `config, number` each."""
    tokens = tokens.rename("config")
    return matching(tokens, [rule.of for rule in MISSING]), matching(tokens, [rule.safeguard for rule in MISSING])
