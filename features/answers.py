"""What DNS answered, whoever asked: which name each address was last given for, as runs of the same answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features import whole_files
from features.events import TIME
from features.partition import Bucket, bucket_of
from features.windows import TRAILING

GIVEN_SCHEMA = {"dst_ip": pl.String(), "resolved": pl.String(), "ts": TIME}


@dataclass(frozen=True)
class Answers:
    """The answers of a day and of the one before.

    Parameters
    ----------
    runs
        `dst_ip, resolved, first, last`, sorted by `first`: an address was given for a name from `first` to `last`, each
        time within `TRAILING` of the time before, and for no other name in between.
    heard
        Whether any look-up was seen at all, answered or not.
    """

    runs: pl.DataFrame
    heard: bool

    @classmethod
    def of(cls, events: pl.DataFrame) -> "Answers":
        """Read the look-ups among events."""
        lookups = events.filter(pl.col("kind") == "dns")
        return cls(runs(given(lookups)), not lookups.is_empty())


def given(lookups: pl.DataFrame) -> pl.DataFrame:
    """List each address that a look-up answered: `GIVEN_SCHEMA`, in the order of the events of kind `dns`."""
    answered = lookups.select(pl.col("answers").alias("dst_ip"), pl.col("query").alias("resolved"), "ts")
    return answered.explode("dst_ip", empty_as_null=True, keep_nulls=False).drop_nulls()


def runs(answers: pl.DataFrame) -> pl.DataFrame:
    """Merge answers (`GIVEN_SCHEMA`, in any order) to runs; of names given at once the last in the alphabet holds.

    Few names change their addresses within a day, so runs are few where answers are many.
    """
    answers = answers.sort("dst_ip", "ts", "resolved")
    same = (pl.col("dst_ip") == pl.col("dst_ip").shift()) & (pl.col("resolved") == pl.col("resolved").shift())
    lasting = pl.col("ts") - pl.col("ts").shift() <= TRAILING
    return (
        answers.with_columns((~(same & lasting).fill_null(value=False)).cum_sum().alias("run"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("dst_ip", "resolved").first(),
            pl.col("ts").first().alias("first"),
            pl.col("ts").last().alias("last"),
        )
        .drop("run")
        .sort("first", "dst_ip", "resolved")
    )


@dataclass(frozen=True)
class AnswersPart:
    """Some of the addresses that were answered within a day, to be worked on by one task.

    Parameters
    ----------
    folder
        Where the files of answers lie (`GIVEN_SCHEMA`); the runs are written beside them.
    part
        Index and count: which share of the addresses.
    """

    folder: Path
    part: Bucket

    @property
    def path(self) -> Path:
        """File of the runs."""
        return self.folder / f"runs-{self.part[0]:05d}.parquet"


def merge_answers(task: AnswersPart) -> None:
    """Merge what the slices of a day were told to runs."""
    if task.path.exists():
        return
    index, count = task.part
    told = pl.scan_parquet(task.folder / "given-*.parquet", schema=GIVEN_SCHEMA)
    whole_files.write_parquet(
        runs(told.filter(bucket_of("dst_ip", count) == index).collect()), task.path, durable=False
    )


def read_answers(folders: Sequence[Path], addresses: pl.Series, *, heard: bool) -> Answers:
    """Read the runs of days that follow each other, for some addresses alone."""
    paths = sorted(path for folder in folders for path in folder.glob("runs-*.parquet"))
    if not paths:
        return Answers(runs(pl.DataFrame(schema=GIVEN_SCHEMA)), heard)
    asked = addresses.unique().rename("dst_ip").to_frame().lazy()
    found = pl.scan_parquet(paths, glob=False).join(asked, on="dst_ip", how="semi").collect(engine="streaming")
    return Answers(found.sort("first", "dst_ip", "resolved"), heard)
