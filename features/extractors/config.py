"""How a workload is configured: what it may do to its host, and what changed since its last container."""

from collections.abc import Sequence

import polars as pl

from features.protocols import Extraction, FeatureSpec
from features.windows import KEY, count_items, window_start

# Fields by what they let a container do to its host: the controls of the Kubernetes Pod Security Standards (baseline
# and restricted), and the host paths and variables with which attacks.mitre.org T1611 and T1574.006 reach out of one.
POSTURE = (
    (8.0, r"^Privileged=true"),
    (8.0, r"^(PidMode|IpcMode|UTSMode|UsernsMode|NetworkMode)=host"),
    (8.0, r"^Bind=(/|/etc|/root|/proc|/sys|/var|/var/run|/run|/home|/dev|/boot|/usr|/lib)(/\.\.)?:"),
    (
        8.0,
        r"^Bind=.*(docker\.sock|containerd\.sock|crio\.sock|/etc/|/root/|/var/lib/kubelet|/var/spool/cron|core_pattern)",
    ),
    (6.0, r"^CapAdd=(ALL|SYS_ADMIN|SYS_MODULE|SYS_PTRACE|SYS_RAWIO|DAC_READ_SEARCH|BPF|NET_ADMIN|SYS_BOOT|SYS_CHROOT)"),
    (6.0, r"^SecurityOpt=.*(unconfined|disable)"),
    (6.0, r"^(Device|DeviceCgroupRule|VolumesFrom)="),
    (5.0, r"^EnvKey=(LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT)$"),
    (5.0, r"^(MaskedPaths|ReadonlyPaths)=none"),
    (5.0, r"^(PidMode|IpcMode|NetworkMode)=container"),
    (5.0, r"^LogConfig=none"),
    (4.0, r"^AllowPrivilegeEscalation=true"),
    (3.0, r"^CapAdd="),
    (3.0, r"^(CgroupnsMode|Runtime|Sysctl|Port|PublishAllPorts|HostPort)="),
    (2.0, r"^User=(0|root)(:|$)"),
)
PRIVILEGED = 3.0


class Config:
    """Configuration snapshots and container life."""

    specs: Sequence[FeatureSpec] = (
        FeatureSpec(
            "config.new_privilege", "items", "setting", "settings that open the host or hide from it", "T1611",
            "runs with {value}, which is new here ({expected})", "privilege", kind_of=r"^([^=]+)=",
        ),
        FeatureSpec(
            "config.posture", "magnitude", "point", "danger of a container's settings", "T1610",
            "settings weigh {value} of danger, where {expected} is usual", "privilege", weight=0.7,
        ),
        FeatureSpec(
            "config.new_setting", "items", "setting", "any other setting", "T1610",
            "configured with {value}, which is new here ({expected})", "rollout", kind_of=r"^([^=]+)=",
        ),
        FeatureSpec(
            "config.drift", "count", "changed setting", "settings that its siblings lack", "T1610",
            "{value} between containers of one workload, where {expected} is usual", "rollout",
        ),
        FeatureSpec(
            "config.creations", "count", "container", "containers created", "T1610",
            "{value} created in ten minutes, where {expected} is usual", "rollout",
        ),
        FeatureSpec(
            "config.deaths", "count", "container", "containers that died", "T1489",
            "{value} died in ten minutes, where {expected} is usual", "rollout",
        ),
        FeatureSpec(
            "config.refused_starts", "count", "container", "containers refused a start", "T1610",
            "{value} taken away without ever having started, where {expected} is usual", "rollout",
        ),
    )  # fmt: skip

    def extract(self, events: pl.DataFrame) -> Extraction:
        """Compute the configuration features of every window."""
        events = events.filter(pl.col("workload").is_not_null()).with_columns(window_start())
        tokens = _tokens(events)
        dangerous = tokens.filter(pl.col("danger") >= PRIVILEGED)
        plain = tokens.filter((pl.col("danger") < PRIVILEGED) & ~pl.col("config").str.starts_with("Healthcheck="))
        values = _life(events)
        for part in (_posture(tokens), _drift(tokens)):
            values = values.join(part, on=KEY, how="full", coalesce=True)
        return Extraction(
            values,
            pl.concat(
                [
                    count_items(dangerous, "config.new_privilege", pl.col("config")),
                    count_items(plain, "config.new_setting", pl.col("config")),
                ]
            ),
        )


def _tokens(events: pl.DataFrame) -> pl.DataFrame:
    tokens = (
        events.filter(pl.col("kind") == "config")
        .select(*KEY, "container_id", "config")
        .explode("config", empty_as_null=True, keep_nulls=False)
        .filter(pl.col("config").is_not_null())
    )
    danger = pl.lit(0.0)
    for weight, pattern in reversed(POSTURE):
        danger = pl.when(pl.col("config").str.contains(pattern)).then(pl.lit(weight)).otherwise(danger)
    distinct = tokens.select(pl.col("config").unique()).with_columns(danger.alias("danger"))
    return tokens.join(distinct, on="config", how="left")


def _posture(tokens: pl.DataFrame) -> pl.DataFrame:
    each = tokens.unique([*KEY, "container_id", "config"]).group_by(*KEY, "container_id").agg(pl.col("danger").sum())
    return each.group_by(KEY).agg(pl.col("danger").max().alias("config.posture"))


def _drift(tokens: pl.DataFrame) -> pl.DataFrame:
    containers = pl.col("container_id").n_unique()
    return (
        tokens.with_columns(containers.over(KEY).alias("siblings"))
        .filter(pl.col("siblings") > 1)
        .group_by(*KEY, "config")
        .agg(containers.alias("having"), pl.col("siblings").first())
        .group_by(KEY)
        .agg((pl.col("having") < pl.col("siblings")).sum().cast(pl.Float64).alias("config.drift"))
    )


def _life(events: pl.DataFrame) -> pl.DataFrame:
    life = events.filter(pl.col("kind") == "lifecycle")
    died = life.filter(pl.col("action") == "die").group_by("container_id").agg(pl.col("ts").min().alias("died"))
    left = life.filter((pl.col("action") == "network_disconnect") & pl.col("container_id").is_not_null())
    refused = (
        left.join(died, on="container_id", how="left")
        .filter(pl.col("died").is_null() | (pl.col("died") > pl.col("ts")))
        .group_by(KEY)
        .agg(pl.col("container_id").n_unique().cast(pl.Float64).alias("config.refused_starts"))
    )
    counts = life.group_by(KEY).agg(
        (pl.col("action") == "create").sum().cast(pl.Float64).alias("config.creations"),
        (pl.col("action") == "die").sum().cast(pl.Float64).alias("config.deaths"),
    )
    return counts.join(refused, on=KEY, how="left").with_columns(pl.col("config.refused_starts").fill_null(0.0))


extractor = Config()
