"""What a workload asks of DNS."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features import trailing
from features.events import EPOCH
from features.flows import domains
from features.protocols import NOTHING, Extraction, FeatureSpec, Trail
from features.windows import KEY, count_items, starting, window_start


class Lookups:
    """DNS queries: how many, for what, and how much a name could carry."""

    specs: Sequence[FeatureSpec] = (
        FeatureSpec(
            "network.queries", "count", "DNS query", "DNS queries", "T1071.004",
            "{value} in ten minutes, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.subdomains", "count", "name", "most names asked for under one domain", "T1071.004",
            "{value} asked for under one domain in ten minutes, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.day_subdomains", "count", "name", "most names asked for under one domain within a day",
            "T1071.004",
            "{value} asked for under one domain within a day, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.name_length", "magnitude", "character", "longest label asked for in DNS", "T1071.004",
            "a DNS label of {value}, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.failed_lookups", "count", "failed look-up", "DNS look-ups that found nothing", "T1568.002",
            "{value} in ten minutes, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.query_type", "items", "query type", "DNS query types used", "T1071.004",
            "first use of DNS query type {value} ({expected})", "dns", weight=0.6, kind_of=r"^(.*)$",
        ),
        FeatureSpec(
            "network.new_name", "items", "domain", "registered domains asked for in DNS", "T1071.004",
            "first look-up of {value} ({expected})", "destination",
        ),
    )  # fmt: skip

    kinds = ("dns",)

    def trail(self, events: pl.DataFrame, before: Trail = NOTHING) -> Trail:
        """Keep which names were asked for in each window."""
        names = _queries(events).select(*KEY, "domain", pl.col("query").alias("item")).unique()
        return {"names": trailing.joined(before.get("names"), names)}

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH, trail: Trail | None = None) -> Extraction:
        """Compute the DNS features of windows: names under one domain are counted over a day too."""
        trail = self.trail(events) if trail is None else trail
        queries = _queries(events).filter(starting(since))
        items = [
            count_items(queries, "network.query_type", pl.col("qtype")),
            count_items(queries, "network.new_name", pl.col("domain")),
        ]
        values = _counts(queries).join(_under_one_domain(trail["names"]), on=KEY, how="left")
        return Extraction(values, pl.concat(items))


def _queries(events: pl.DataFrame) -> pl.DataFrame:
    told = events.select("ts", "kind", "workload", "query", "qtype", "rcode")
    dns = told.filter((pl.col("kind") == "dns") & pl.col("workload").is_not_null() & pl.col("query").is_not_null())
    return dns.with_columns(window_start()).join(domains(dns["query"]), on="query", how="left")


def _counts(queries: pl.DataFrame) -> pl.DataFrame:
    label = pl.col("query").str.split(".").list.eval(pl.element().str.len_chars()).list.max()
    return queries.group_by(KEY).agg(
        pl.len().cast(pl.Float64).alias("network.queries"),
        label.max().cast(pl.Float64).alias("network.name_length"),
        (pl.col("rcode").is_in(["NXDOMAIN", "SERVFAIL"])).sum().cast(pl.Float64).alias("network.failed_lookups"),
    )


def _under_one_domain(names: pl.DataFrame) -> pl.DataFrame:
    within = names.group_by(*KEY, "domain").agg(pl.len().cast(pl.Float64).alias("window"))
    day = trailing.distinct(names, within=("domain",))
    return (
        within.join(day, on=[*KEY, "domain"], how="left")
        .group_by(KEY)
        .agg(
            pl.col("window").max().alias("network.subdomains"),
            pl.col("distinct").max().alias("network.day_subdomains"),
        )
    )


extractor = Lookups()
