"""Which workloads are worked on together: a stable hash gives each its place, and buckets are stretches of places."""

import polars as pl
import polars_hash as plh

PLACES = 1 << 16
Bucket = tuple[int, int]
"""Index and count of buckets: 0 <= index < count <= `PLACES`."""


def bucket_of(column: str, count: int) -> pl.Expr:
    """Give the index, out of `count`, of the bucket that a text lies in; null for null.

    Every bucket of a count is made of whole buckets of its multiples.
    """
    place = plh.col(column).nchash.xxh3_64() % PLACES
    return (place * count // PLACES).cast(pl.UInt16).alias("bucket")


def overlapping(bucket: Bucket, count: int) -> range:
    """List the buckets out of `count` that share places with a bucket of another count."""
    index, own = bucket
    return range(index * count // own, ((index + 1) * count - 1) // own + 1)
