"""Which images a workload pulls and runs, from where, and how often."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.events import EPOCH
from features.protocols import Extraction, FeatureSpec
from features.windows import KEY, count_items, starting, window_start

_TOLD = (
    "ts", "kind", "action", "workload", "image_registry", "image_repository", "image_tag", "image_digest", "src_ip",
    "user_agent",
)  # fmt: skip
NEEDS_PULL = ("pull", "create", "inspect")
NOT_ACTED = ("registry_pull", "inspect")  # what leaves an image as it was
IMAGE_ID_OF, MANIFEST_OF = " ", "(manifest) "
SHORT_DIGEST = 19  # characters, of which `sha256:` are seven


class Pulls:
    """Image pulls, what is run, and what else is done to images."""

    specs: Sequence[FeatureSpec] = (
        FeatureSpec(
            "pulls.pulls", "count", "pull", "images pulled for this workload", "T1610",
            "{value} in ten minutes, where {expected} is usual", "rollout",
        ),
        FeatureSpec(
            "pulls.new_registry", "items", "registry", "registries that images come from", "T1204.003",
            "an image came from the registry {value}, which is new here ({expected})", "image_origin",
        ),
        FeatureSpec(
            "pulls.new_repository", "items", "repository", "image repositories pulled or run", "T1204.003",
            "the image repository {value} is new here ({expected})", "image_origin",
        ),
        FeatureSpec(
            "pulls.new_publisher", "items", "publisher", "namespaces of registries that images come from", "T1204.003",
            "an image came from the publisher {value}, which is new here ({expected})", "image_origin",
        ),
        FeatureSpec(
            "pulls.moved_tag", "items", "tag and digest", "digest that a tag stands for", "T1525",
            "the tag {value} now stands for another image than before ({expected})", "moved_tag", keyed=True,
        ),
        FeatureSpec(
            "pulls.image_action", "items", "action", "tag, push, load, import and other actions on images", "T1525",
            "image action {value} is new here ({expected})", "image_action", kind_of=r"^(.*)$",
        ),
        FeatureSpec(
            "pulls.pushed_by", "items", "client", "who pushes to a repository, by client and address", "T1525",
            "{value} is a new way to push an image ({expected})", "image_action",
        ),
    )  # fmt: skip

    kinds = ("pull", "image", "lifecycle", "config")

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH) -> Extraction:
        """Compute the pull features of windows."""
        events = events.select(_TOLD).filter(pl.col("workload").is_not_null()).with_columns(window_start())
        events = events.filter(starting(since))
        images = events.filter(
            pl.col("image_repository").is_not_null()
            & (pl.col("kind").is_in(["pull", "image"]) | pl.col("action").is_in(NEEDS_PULL))
        )
        used = images.filter((pl.col("kind") == "pull") | pl.col("action").is_in(NEEDS_PULL))
        named = used.filter(~pl.col("image_registry").is_null())
        full = pl.concat_str("image_registry", pl.lit("/"), "image_repository")
        publisher = pl.concat_str("image_registry", pl.lit("/"), pl.col("image_repository").str.split("/").list.first())
        tagged = images.filter(pl.col("image_digest").is_not_null() & pl.col("image_tag").is_not_null())
        # An inspect states the image id, a registry the digest of the manifest: two names of one image, never compared.
        named_by = pl.when(pl.col("kind") == "config").then(pl.lit(IMAGE_ID_OF)).otherwise(pl.lit(MANIFEST_OF))
        digest = pl.concat_str(
            full, pl.lit(":"), "image_tag", named_by, pl.col("image_digest").str.slice(0, SHORT_DIGEST)
        )
        acted = events.filter((pl.col("kind") == "image") & ~pl.col("action").is_in(NOT_ACTED))
        pushed = acted.filter((pl.col("action") == "push") & pl.col("user_agent").is_not_null())
        agent = pl.concat_str(pl.col("user_agent").str.extract(r"^([^/ ]+)"), pl.lit(" from "), "src_ip")
        values = (
            images.filter(pl.col("kind") == "pull").group_by(KEY).agg(pl.len().cast(pl.Float64).alias("pulls.pulls"))
        )
        items = [
            count_items(named, "pulls.new_registry", pl.col("image_registry")),
            count_items(named, "pulls.new_repository", full),
            count_items(named, "pulls.new_publisher", publisher),
            count_items(tagged, "pulls.moved_tag", digest),
            count_items(acted, "pulls.image_action", pl.col("action")),
            count_items(pushed, "pulls.pushed_by", agent),
        ]
        return Extraction(values, pl.concat(items))


extractor = Pulls()
