"""Who commands the containers: commands run inside, actions from outside, and requests to the orchestrator."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.addresses import mapped
from features.commands import COMMANDS, command_profile
from features.dangers import met
from features.events import EPOCH
from features.protocols import Extraction, FeatureSpec
from features.request_danger import dangers_of
from features.windows import KEY, count_items, starting, window_start

ROUTINE = (
    "create", "start", "die", "destroy", "attach", "kill", "stop", "restart", "network_connect", "network_disconnect",
    "resize", "health_status", "oom", "exec_create", "exec_start", "exec_die", "address",
)  # fmt: skip
_TOLD = (
    "ts", "kind", "action", "host", "namespace", "container_id", "workload", "actor", "src_ip", "uri", "user_agent",
    "status", "config", "command", "resource", "name", "rule", "healthcheck",
)  # fmt: skip
FOLLOW_UPS = ("exec_start", "exec_die")  # of a command that was told of already
FORBIDDEN = 403  # HTTP
TELLING = 3.0  # points from which a danger is named when it is new: a first shell is a new command already


class Control:
    """Exec sessions, rare actions of the engine, and an orchestrator's actors."""

    specs: Sequence[FeatureSpec] = (
        FeatureSpec(
            "control.commands", "count", "command", "commands run inside, health checks left out", "T1609",
            "{value} run inside from outside, where {expected} is usual", "exec",
        ),
        FeatureSpec(
            "control.new_command", "items", "command", "commands run in containers from outside", "T1609",
            "`{value}` was run inside from outside, which is new here ({expected})", "exec", weight=0.5,
            kind_of=r"^(?:\S*/)?([^\s/]+)",
        ),
        FeatureSpec(
            "control.new_purpose", "items", "purpose", "what commands run inside do that is dangerous", "T1059.004",
            "a command run inside {value}, which is new here ({expected})", "exec",
        ),
        FeatureSpec(
            "control.command_danger", "magnitude", "point", "danger of commands run inside", "T1059.004",
            "commands weigh {value} of danger, where {expected} is usual", "command danger",
        ),
        FeatureSpec(
            "control.new_action", "items", "action", "rare actions: copy in, rename, commit, update",
            "T1609", "{value} is new here ({expected})", "action", kind_of=r"^(.*)$",
        ),
        FeatureSpec(
            "control.requests", "count", "request", "requests of an actor to the orchestrator", "T1613",
            "{value} in ten minutes, where {expected} is usual", "requests",
        ),
        FeatureSpec(
            "control.denied", "count", "denied request", "requests of an actor that were forbidden", "T1613",
            "{value} in ten minutes, where {expected} is usual", "requests",
        ),
        FeatureSpec(
            "control.new_request", "items", "verb and resource", "what an actor does to which resource", "T1098.006",
            "{value} is new for this actor ({expected})", "requests", kind_of=r"^(.*)$",
        ),
        FeatureSpec(
            "control.new_power", "items", "use of power", "what a request can do to the cluster", "T1098.006",
            "{value}, which this actor never did before ({expected})", "requests",
        ),
        FeatureSpec(
            "control.danger", "magnitude", "point", "danger of what an actor asks for", "T1078",
            "requests weigh {value} of danger, where {expected} is usual", "danger",
        ),
        FeatureSpec(
            "control.new_source", "items", "address", "addresses an actor speaks from", "T1550.001",
            "the actor speaks from {value}, which is new ({expected})", "actor",
        ),
        FeatureSpec(
            "control.new_tool", "items", "client", "client programs of an actor", "T1550.001",
            "the actor uses {value}, which is new ({expected})", "actor",
        ),
        FeatureSpec(
            "control.exec_by", "items", "actor", "actors that run commands in a workload", "T1609",
            "{value} ran a command inside, which is new here ({expected})", "exec",
        ),
    )  # fmt: skip

    kinds = ("exec", "lifecycle", "audit")

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH) -> Extraction:
        """Compute the control features of windows."""
        named = pl.col("workload").is_not_null()
        events = events.select(_TOLD).filter(named, pl.col("kind").is_in(["exec", "lifecycle", "audit"]))
        events = events.with_columns(window_start())
        events = events.filter(starting(since))
        runs = events.filter(
            (pl.col("kind") == "exec")
            & pl.col("command").is_not_null()
            & ~pl.col("action").is_in(FOLLOW_UPS)
            & (pl.col("healthcheck").is_null() | (pl.col("command") != pl.col("healthcheck")))
        )
        profiles = mapped(runs["command"], "profile", command_profile, pl.String())
        runs = runs.join(profiles, on="command", how="left")
        rare = events.filter(pl.col("kind").is_in(["lifecycle", "exec"]) & ~pl.col("action").is_in(ROUTINE))
        rare = rare.filter(pl.col("command").is_null())
        requests = events.filter(pl.col("kind") == "audit")
        values = runs.group_by(KEY).agg(pl.len().cast(pl.Float64).alias("control.commands"))
        purposes = runs.select(*KEY, "command").join(met(runs["command"], COMMANDS), on="command")
        powers = dangers_of(requests)
        for part in (
            _points(purposes, "control.command_danger"),
            _requests(requests),
            _points(powers, "control.danger"),
        ):
            values = values.join(part, on=KEY, how="full", coalesce=True)
        return Extraction(
            values,
            pl.concat(
                [
                    count_items(runs, "control.new_command", pl.col("profile")),
                    count_items(runs.filter(pl.col("actor").is_not_null()), "control.exec_by", pl.col("actor")),
                    count_items(rare, "control.new_action", pl.col("action")),
                    count_items(requests, "control.new_request", _request()),
                    count_items(_telling(purposes), "control.new_purpose", pl.col("danger")),
                    count_items(_telling(powers), "control.new_power", pl.col("danger")),
                    count_items(requests, "control.new_source", pl.col("src_ip")),
                    count_items(requests, "control.new_tool", pl.col("user_agent").str.extract(r"^([^/ ]+)")),
                ]
            ),
        )


def _points(dangers: pl.DataFrame, feature: str) -> pl.DataFrame:
    """Sum the points of a window, each danger once."""
    once = dangers.group_by(*KEY, "danger").agg(pl.col("points").max())
    return once.group_by(KEY).agg(pl.col("points").sum().alias(feature))


def _telling(dangers: pl.DataFrame) -> pl.DataFrame:
    return dangers.filter(pl.col("points") >= TELLING)


def _request() -> pl.Expr:
    """Verb and resource; secrets asked for without a namespace are all of them."""
    everywhere = pl.when(pl.col("namespace").is_null() & (pl.col("resource") == "secrets"))
    scope = everywhere.then(pl.lit(" everywhere")).otherwise(pl.lit(""))
    return pl.concat_str("action", pl.lit(" "), "resource", scope)


def _requests(requests: pl.DataFrame) -> pl.DataFrame:
    return requests.group_by(KEY).agg(
        pl.len().cast(pl.Float64).alias("control.requests"),
        (pl.col("status") == FORBIDDEN).sum().cast(pl.Float64).alias("control.denied"),
    )


extractor = Control()
