"""Docker Engine events many at a time: the same rows as `features.sources.docker_events` makes one by one."""

from typing import Annotated, Final

import msgspec
import polars as pl

from features.events import TIME
from features.fields import LARGEST
from features.identity import docker_workload
from features.images import image_columns
from features.shapes import NEEDED_TEXT, TEXT, Field, Fields, Shape, micros, text

# attributes are the container's labels and what the engine adds; these labels name the workload
NAMING_LABELS: Final = (
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.swarm.service.name",
    "io.kubernetes.pod.name",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.container.name",
)
INTO_CONTAINER: Final = frozenset({"attach", "extract-to-dir", "archive-path"})
_ATTRIBUTES = "Actor.Attributes."
_LABELS = [_ATTRIBUTES + label for label in NAMING_LABELS]
_FIELDS = Fields(
    {
        "Type": NEEDED_TEXT,
        "Action": NEEDED_TEXT,
        "Actor": Fields(
            {
                "ID": NEEDED_TEXT,
                "Attributes": Fields(
                    {
                        **dict.fromkeys(("image", "name", "execID", "oldName", "exitCode", *NAMING_LABELS), TEXT),
                        "container": Field(str, pl.String(), ""),
                    }
                ),
            }
        ),
        "from": TEXT,
        "host": TEXT,
        "timeNano": Field(Annotated[int, msgspec.Meta(ge=1, le=LARGEST)], pl.Int64(), largest=LARGEST),
    }
)
_SEPARATORS = "[\x1c-\x1f]"  # blank to Python, and not to polars


def _events(records: pl.DataFrame, host: str | None) -> pl.DataFrame:
    container, image = pl.col("Type") == "container", pl.col("Type") == "image"
    named, identity = text(f"{_ATTRIBUTES}name"), pl.col("Actor.ID")
    parts = pl.col("Action").str.splitn(":", 2).struct
    verb, detail = parts[0], parts[1].str.strip_chars()
    into = verb.str.starts_with("exec_") | verb.is_in(INTO_CONTAINER)
    is_digest = identity.str.starts_with("sha256:")
    exit_code = pl.col(f"{_ATTRIBUTES}exitCode")
    events = records.with_columns(
        ts=micros(pl.Series("ts", records["timeNano"] // 1000 / 1_000_000)),
        host=pl.coalesce(text("host"), pl.lit(host, pl.String)),
        kind=pl.when(container & into)
        .then(pl.lit("exec"))
        .when(image & (verb == "pull"))
        .then(pl.lit("pull"))
        .when(image)
        .then(pl.lit("image"))
        .otherwise(pl.lit("lifecycle")),
        action=pl.when(container | image).then(verb).otherwise(pl.concat_str("Type", pl.lit("_"), verb)),
        record_id=pl.concat_str(
            "timeNano",
            "Action",
            identity,
            pl.coalesce(text(f"{_ATTRIBUTES}execID"), f"{_ATTRIBUTES}container"),
            separator=" ",
        ),
        container_id=pl.when(container).then(identity).when(~image).then(text(f"{_ATTRIBUTES}container")),
        container_name=pl.when(container).then(named),
        image=pl.when(container)
        .then(pl.coalesce(text(f"{_ATTRIBUTES}image"), text("from")))
        .when(image & is_digest)
        .then(pl.coalesce(named, identity))
        .when(image)
        .then(identity),
        name=pl.when(container & (verb == "rename"))
        .then(pl.col(f"{_ATTRIBUTES}oldName").str.strip_chars_start("/").replace("", None))
        .when(~container & ~image)
        .then(pl.coalesce(named, identity)),
        command=pl.when(container & verb.str.starts_with("exec_") & (detail != "")).then(detail),
        rule=pl.when(container & (verb == "health_status") & (detail != "")).then(detail),
        status=pl.when(container).then(exit_code.cast(pl.Int32, strict=False)),
        fits=(pl.col("Type") != "")
        & (pl.col("Action") != "")
        & (identity != "")
        & ~pl.col("Action").str.contains(_SEPARATORS)
        & (~container | exit_code.str.contains(r"^[0-9]{1,9}$").fill_null(value=True)),
    )
    events = _with_workloads(_with_references(events))
    return events.with_columns(
        pl.col("ts").cast(TIME),
        workload=pl.when(container).then("workload"),
        image_digest=pl.when(image & is_digest).then(identity).otherwise("image_digest"),
        fits=pl.col("fits") & (pl.col("ts") >= 0),
    )


def _with_references(events: pl.DataFrame) -> pl.DataFrame:
    """Add the parts of image references, of which there are few that differ."""
    distinct = events["image"].drop_nulls().unique()
    schema = dict.fromkeys(("image", "image_registry", "image_repository", "image_tag", "image_digest"), pl.String())
    parts = pl.DataFrame([image_columns(reference) for reference in distinct], schema)
    return events.join(parts, on="image", how="left", maintain_order="left")


def _with_workloads(events: pl.DataFrame) -> pl.DataFrame:
    """Add the workloads of containers, of which there are few that differ."""
    keys = ["host", "container_name", "image", *_LABELS]
    distinct = events.select(keys).unique()
    workloads = [
        docker_workload(host, name, image, {k: v for k, v in zip(NAMING_LABELS, labels, strict=True) if v is not None})
        for host, name, image, *labels in distinct.iter_rows()
    ]
    named = distinct.with_columns(pl.Series("workload", workloads, pl.String()))
    return events.join(named, on=keys, how="left", nulls_equal=True, maintain_order="left")


SHAPES = (Shape(_FIELDS, _events),)
