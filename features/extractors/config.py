"""How a workload is configured: what it may do to its host, and what changed since its last container."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.events import EPOCH
from features.posture import PRIVILEGED, SAFEGUARD, carelessness, danger
from features.protocols import NOTHING, Extraction, FeatureSpec, Trail
from features.rollouts import LIFE_KINDS, agreement
from features.windows import KEY, count_items, starting, window_start

_LIFE = ("ts", "event_id", "kind", "action", "container_id", "workload", "image_repository", "config")
ROLLED_OUT = 0.3  # weight of a setting that all replicas took: seen, and below an alert alone


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
            "config.rolled_out", "items", "setting", "settings that all replicas of a known image have", "T1610",
            "all replicas configured with {value}, which is new here ({expected})", "rollout", weight=ROLLED_OUT,
            kind_of=r"^([^=]+)=", instead_of="config.new_setting",
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

    kinds = LIFE_KINDS

    def trail(self, events: pl.DataFrame, before: Trail = NOTHING) -> Trail:
        """Keep the lives of containers."""
        life = pl.col("kind").is_in(LIFE_KINDS) & pl.col("workload").is_not_null()
        own = events.select(_LIFE).filter(life).with_columns(window_start())
        return {"life": pl.concat([before["life"], own]) if before else own}

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH, trail: Trail | None = None) -> Extraction:
        """Compute the configuration features of windows, among containers that stood before them."""
        events = (self.trail(events) if trail is None else trail)["life"]
        tokens = _tokens(events.filter(starting(since)))
        dangerous = tokens.filter(pl.col("danger") >= PRIVILEGED)
        harmless = pl.col("config").str.contains(SAFEGUARD) | pl.col("config").str.starts_with("Healthcheck=")
        plain = tokens.filter((pl.col("danger") < PRIVILEGED) & ~harmless)
        agreed = agreement(events).filter(starting(since))
        everywhere = agreed.filter((pl.col("having") == pl.col("siblings")) & pl.col("familiar"))
        rolled_out = plain.join(everywhere, on=[*KEY, "config"], how="semi")
        values = _life(events)
        for part in (_posture(tokens), _drift(agreed)):
            values = values.join(part, on=KEY, how="full", coalesce=True)
        return Extraction(
            values,
            pl.concat(
                [
                    count_items(dangerous, "config.new_privilege", pl.col("config")),
                    count_items(plain, "config.new_setting", pl.col("config")),
                    count_items(rolled_out, "config.rolled_out", pl.col("config")),
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
    distinct = tokens.select(pl.col("config").unique()).with_columns(danger(pl.col("config")).alias("danger"))
    return tokens.join(distinct, on="config", how="left")


def _posture(tokens: pl.DataFrame) -> pl.DataFrame:
    container = [*KEY, "container_id"]
    told = tokens.unique([*container, "config"]).with_columns(pl.col("container_id").fill_null(""))
    each = (
        told.group_by(container)
        .agg(pl.col("danger").sum())
        .join(carelessness(told, container), on=container, how="left")
        .with_columns(pl.col("danger") + pl.col("careless").fill_null(0.0))
    )
    return each.group_by(KEY).agg(pl.col("danger").max().alias("config.posture"))


def _drift(agreed: pl.DataFrame) -> pl.DataFrame:
    lacking = (pl.col("having") < pl.col("siblings")).sum().cast(pl.Float64)
    return agreed.group_by(KEY).agg(lacking.alias("config.drift"))


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
