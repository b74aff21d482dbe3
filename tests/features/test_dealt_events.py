"""A bucket in which one workload is very busy: what a worker holds of it in memory."""

import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.attributed import deal
from features.bucket_windows import TABLES, BucketDay
from features.dealt_events import Dealt
from features.events import conform
from service.jobs.executors import WORKER

START = datetime(2026, 9, 7, tzinfo=UTC)
DAY = timedelta(days=1)
# The kernel's other measure, ru_maxrss, begins with the memory of the process that started this one.
MEASURE = """
import pickle, re, sys
from pathlib import Path
from features.bucket_windows import extract_bucket
extract_bucket(pickle.loads(sys.stdin.buffer.read()))
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def busy_day(folder: Path, count: int) -> BucketDay:
    """Deal a day on which one workload calls a hundred places `count` times."""
    number = pl.int_range(count, dtype=pl.Int64)
    address = pl.concat_str(pl.lit("203.0.113."), number % 100)
    flows = pl.select(
        (pl.lit(START) + pl.duration(microseconds=number * (86_400_000_000 // count)))
        .dt.cast_time_unit("us")
        .alias("ts"),
        (number + 1).cast(pl.UInt64).alias("event_id"),
        kind=pl.lit("flow"),
        workload=pl.lit("docker:shop/hot"),
        src_ip=pl.lit("10.0.0.1"),
        dst_ip=address,
        dst_port=pl.lit(443, pl.Int32),
        proto=pl.lit("tcp"),
        bytes_out=number % 1000,
        bytes_in=number % 3000,
        uid=pl.concat_str(pl.lit("Conn"), number),
        conn_state=pl.lit("SF"),
    )
    added = {"peer": pl.lit(None, pl.String), "external": pl.lit(value=True), "healthcheck": pl.lit(None, pl.String)}
    deal([conform(flows).with_columns(bucket=pl.lit(0, pl.UInt16), **added)], folder, "traffic-00000", 1)
    last = START + DAY - timedelta(seconds=1)
    dealt = Dealt(folder, 1, last_traffic=last, last_control=START - timedelta.resolution, heard=False)
    return BucketDay(START, START + DAY, dealt, None, 0, tuple(folder / f"{name}.parquet" for name in TABLES))


def peak(task: BucketDay) -> int:
    """Give the peak of memory in MB of a process that extracts a bucket and does nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=pickle.dumps(task),
        env=os.environ | WORKER,
        capture_output=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.slow
def test_memory_does_not_follow_the_busiest_workload(tmp_path: Path) -> None:
    """Four times the events of one workload take a few bytes each, where they took more than a kilobyte."""
    few, many = 150_000, 600_000
    less, more = (peak(busy_day(tmp_path / str(count), count)) for count in (few, many))

    assert more - less < (many - few) * 100 / 1e6
    values = pl.read_parquet(tmp_path / str(many) / "values.parquet")
    assert values["network.connections"].sum() == many
