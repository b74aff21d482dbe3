"""The way of reading records one by one, which says what reading many at a time must give."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.ingest import read_events
from features.routing import Batch
from features.runs import Runs


def read(path: Path, batch_rows: int = 50_000) -> Batch:
    batches = list(read_events([path], host="n1", batch_rows=batch_rows))
    rejects = [reject for batch in batches for reject in batch.rejects]
    return Batch(pl.concat(batch.events for batch in batches), rejects, sum(b.read_bytes for b in batches), str(path))


def one_by_one(path: Path, batch_rows: int = 50_000) -> Batch:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runs, "find", lambda *_: None)
        return read(path, batch_rows)


def assert_alike(path: Path, batch_rows: int = 50_000) -> None:
    together, apart = read(path, batch_rows), one_by_one(path)
    assert_frame_equal(together.events, apart.events)
    assert together.rejects == apart.rejects
    assert together.read_bytes == apart.read_bytes
