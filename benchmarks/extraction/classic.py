"""What is classic in the field, as polars, DuckDB and pandas do it: sums per window, distinct ones, entropy, gaps.

Per workload and window: twelve sums, greatest values and deviations, distinct addresses and ports, the entropy of
addresses, the share of the most called one, and addresses never met before. Per workload, address and port: the
quartiles of the gaps between calls, and their median deviation. One plan or statement each; a file of events is read.
"""

import importlib
from pathlib import Path

import numpy as np
import polars as pl

AMOUNTS = ("bytes_out", "bytes_in", "duration")
COLUMNS = ("ts", "kind", "workload", "dst_ip", "dst_port", *AMOUNTS, "conn_state", "external")
KEY = ("workload", "window")
PAIR = ("workload", "dst_ip", "dst_port")
QUARTERS = (0.25, 0.5, 0.75)


def in_polars(path: Path) -> None:
    """Collect both tables of one plan."""
    start = pl.col("ts").dt.truncate("10m").alias("window")
    flows = pl.scan_parquet(path).select(COLUMNS).filter(pl.col("kind") == "flow").with_columns(start)
    windows = flows.group_by(KEY).agg(
        pl.len(),
        pl.col(AMOUNTS).sum().name.suffix("_sum"),
        pl.col(AMOUNTS).max().name.suffix("_max"),
        pl.col(AMOUNTS).std().name.suffix("_std"),
        (pl.col("conn_state") == "S0").sum().alias("failed"),
        pl.col("external").sum(),
        pl.col("dst_ip", "dst_port").n_unique(),
    )
    pairs = flows.group_by(*KEY, "dst_ip").agg(pl.len().alias("calls"))
    calls = pl.col("calls")
    shares = pairs.group_by(KEY).agg(calls.entropy(base=2).alias("entropy"), (calls.max() / calls.sum()).alias("top"))
    new = pairs.group_by("workload", "dst_ip").agg(pl.col("window").min()).group_by(KEY).agg(pl.len().alias("new"))
    gap = pl.col("ts").sort().diff().dt.total_microseconds().drop_nulls()
    apart = flows.group_by(PAIR).agg(
        *(gap.quantile(quarter, "linear").alias(f"gap_{quarter}") for quarter in QUARTERS),
        (gap - gap.median()).abs().median().alias("deviation"),
    )
    pl.collect_all([windows.join(shares, on=KEY).join(new, on=KEY, how="left"), apart])


def in_duckdb(path: Path) -> None:
    """Make both tables in memory."""
    run = importlib.import_module("duckdb").sql
    run("set threads = 1")
    start = "time_bucket(interval 10 minutes, ts) as start"
    flows = f"select {', '.join(COLUMNS)}, {start} from '{path}' where kind = 'flow'"  # noqa: S608 - our own file
    run(f"create view flows as {flows}")
    of_amounts = ", ".join(f"{function}({name})" for name in AMOUNTS for function in ("sum", "max", "stddev"))
    run(f"""
        create table windows as with
        sums as (select workload, start, count(*), {of_amounts}, count(*) filter (conn_state = 'S0'),
            count(*) filter (external), count(distinct dst_ip), count(distinct dst_port) from flows group by all),
        pairs as (select workload, start, dst_ip, count(*) as calls from flows group by all),
        shares as (select *, calls / sum(calls) over (partition by workload, start) as share from pairs),
        spread as (select workload, start, -sum(share * log2(share)), max(share) from shares group by all),
        met as (select workload, min(start) as start from pairs group by workload, dst_ip),
        new as (select workload, start, count(*) from met group by all)
        select * from sums join spread using (workload, start) left join new using (workload, start)
    """)  # noqa: S608 - our own names
    run("""
        create table apart as with gaps as (select workload, dst_ip, dst_port, epoch_us(ts) - lag(epoch_us(ts))
            over (partition by workload, dst_ip, dst_port order by ts) as gap from flows)
        select workload, dst_ip, dst_port, quantile_cont(gap, [0.25, 0.5, 0.75]), mad(gap) from gaps
        where gap is not null group by all
    """)


def in_pandas(path: Path) -> None:
    """Make both tables, with texts as categories."""
    pandas = importlib.import_module("pandas")
    flows = pandas.read_parquet(path, columns=list(COLUMNS), filters=[("kind", "==", "flow")])
    flows["window"] = flows.ts.dt.floor("10min")
    flows["failed"] = flows.conn_state == "S0"
    flows = flows.astype({"workload": "category", "dst_ip": "category"})
    by = {"observed": True, "sort": False}
    statistics = {amount: ["sum", "max", "std"] for amount in AMOUNTS}
    distinct = {"failed": "sum", "external": "sum", "dst_ip": ["size", "nunique"], "dst_port": "nunique"}
    windows = flows.groupby(list(KEY), **by).agg(statistics | distinct)
    pairs = flows.groupby([*KEY, "dst_ip"], **by).size().rename("calls").reset_index()
    calls = pairs.groupby(list(KEY), **by).calls
    pairs["share"] = pairs.calls / calls.transform("sum")
    pairs["surprise"] = -pairs.share * np.log2(pairs.share)
    shares = pairs.groupby(list(KEY), **by).agg({"surprise": "sum", "share": "max"})
    new = pairs.groupby(["workload", "dst_ip"], **by)["window"].min().reset_index().groupby(list(KEY), **by).size()
    windows.columns = ["_".join(name) for name in windows.columns]
    windows.join(shares).join(new.rename("new"))
    flows["gap"] = flows.sort_values("ts").groupby(list(PAIR), **by).ts.diff().dt.total_seconds()
    gaps = flows.dropna(subset="gap")
    of_pairs = gaps.groupby(list(PAIR), **by).gap
    of_pairs.quantile(QUARTERS)
    deviation = (gaps.gap - of_pairs.transform("median")).abs()
    deviation.groupby([gaps[name] for name in PAIR], **by).median()
