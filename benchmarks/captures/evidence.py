"""The product's evidence, edge by edge: what it would tell an analyst that names the edge or its destination.

In each window an edge has the items that name it: its destination, destination with port, external port, look-up,
beacon, TLS without a name, borrowed name and protocol out of place. Their bits are believed as far as the model
believes each feature, the strongest item of a group of features speaks for the group, and the strongest group counts
with half of the second: the second channel of the detector (`models.detector.summed`), held to what names the edge. An
edge is as strong as its strongest window. Counts and magnitudes name no destination and are left out.

That says how unusual the edge is for who calls it. How even its calls are is said by `features.beacons.strength` at its
most even moment, in bits against chance; inside, where the product asks for more of them, they count for less by as
much. The score is the sum of the two.
"""

import numpy as np
import polars as pl

from benchmarks.captures.place import Edge
from benchmarks.captures.zeek import EDGE, edges
from features.addresses import is_group, is_internal
from features.beacons import strength
from features.evidence import Normal, columns, met_in, subjects, weights
from features.extractors.network import BEACON, INTERNAL_BEACON
from features.protocols import specs
from features.surprising_items import surprise
from features.windows import KEY, Windows
from models.trust import Trust

NAMED_BY = {
    "network.new_destination": "destination",
    "network.new_name": "destination",
    "network.bare_tls": "destination",
    "network.new_edge": "edge",
    "network.beacon": "edge",
    "network.internal_beacon": "edge",
    "network.drip": "destination",
    "network.bare_address": "address",
    "network.borrowed_name": "address",
    "network.new_port": "external port",
    "network.impersonation": "port",
}
_NAME_WITHIN = {
    "network.bare_tls": r"(?:to|with) (.+)$",
    "network.borrowed_name": r" at (\S+)$",
    "network.impersonation": r" on port (\S+)",
}


def edge_bits(windows: Windows, flows: pl.DataFrame, normal: Normal, trust: Trust) -> dict[Edge, float]:
    """Give the bits of the edges of attributed flows (`features.flows.outbound`, with `src_ip`) in these windows."""
    unusual, even = unusual_bits(windows, flows, normal, trust), beacon_bits(flows)
    return {edge: unusual.get(edge, 0.0) + even.get(edge, 0.0) for edge in unusual.keys() | even.keys()}


def beacon_bits(flows: pl.DataFrame) -> dict[Edge, float]:
    """Give the bits against chance of the calls of every edge."""
    found = {}
    for edge, (moments, _) in edges(flows).items():
        own = 0.0 if is_group(edge[1]) else float(strength(moments, moments).max())
        found[edge] = own * (BEACON / INTERNAL_BEACON if is_internal(edge[1]) else 1.0)
    return found


def unusual_bits(windows: Windows, flows: pl.DataFrame, normal: Normal, trust: Trust) -> dict[Edge, float]:
    """Give the believed bits of the edges in these windows, how even their calls are left aside."""
    strong = _spoken(windows, normal, trust).join(_names(flows), on=[*KEY, "by", "name"])
    grouped = strong.group_by(*KEY, *EDGE, "group").agg(pl.col("bits").max())
    bits = pl.col("bits").sort(descending=True)
    each = grouped.group_by(*KEY, *EDGE).agg(bits.first() + bits.slice(1, 1).sum() / 2)
    return {
        (source, target, port): value
        for source, target, port, value in each.group_by(EDGE).agg(pl.col("bits").max()).iter_rows()
    }


def _spoken(windows: Windows, normal: Normal, trust: Trust) -> pl.DataFrame:
    """List all items that name a destination, believed."""
    rows = windows.values.select(KEY).with_row_index("row")
    who = subjects(windows, normal)
    met = met_in(windows, who.workload)
    bits = surprise(met, who[met.row], normal.novelty).bits
    told = {"row": met.row.astype(np.uint32), "feature": met.feature.texts(), "item": met.item.texts(), "bits": bits}
    found = pl.DataFrame(told).filter(pl.col("feature").is_in(list(NAMED_BY)))
    name = pl.col("item")
    for feature, pattern in _NAME_WITHIN.items():
        name = pl.when(pl.col("feature") == feature).then(pl.col("item").str.extract(pattern)).otherwise(name)
    return (
        _believed(found, trust)
        .join(rows, on="row")
        .with_columns(
            name.alias("name"),
            pl.col("feature").replace_strict(NAMED_BY).alias("by"),
            pl.col("feature").replace_strict({f: specs()[f].group for f in NAMED_BY}).alias("group"),
        )
    )


def _believed(found: pl.DataFrame, trust: Trust) -> pl.DataFrame:
    column = found["feature"].replace_strict(columns(), return_dtype=pl.Int64).to_numpy()
    claimed = found["bits"].to_numpy() * weights()[column]
    believed = np.zeros(len(found))
    for each in np.unique(column):
        believed[column == each] = trust.column(int(each), claimed[column == each])
    return found.with_columns(pl.Series("bits", believed))


def _names(flows: pl.DataFrame) -> pl.DataFrame:
    port = pl.concat_str("dst_port", pl.lit("/"), "proto")
    named = {
        "destination": pl.col("destination"),
        "edge": pl.col("edge"),
        "address": pl.col("dst_ip"),
        "port": port,
        "external port": pl.when("external").then(port),
    }
    parts = [flows.select(*KEY, *EDGE, pl.lit(by).alias("by"), name.alias("name")) for by, name in named.items()]
    return pl.concat(parts).drop_nulls().unique()
