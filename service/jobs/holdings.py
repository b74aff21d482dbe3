"""What the lake holds of each day: its files, and a survey of them that is made once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from features import survey
from features.attributed import KINDS, Class
from features.extraction import DAY, floor_day
from features.fingerprints import code, fingerprint
from features.lake_files import File
from features.lake_reader import LakeReader
from features.stores import Store
from features.survey import Marks, Survey
from service.jobs.executors import unordered
from service.jobs.progress import Progress

SLICE_BYTES = 4 * 2**20  # of files of the lake: some 150,000 events
EVENTS = 24_000  # of a bucket on a day, at most on average: a task holds them in memory, and those of the day before


@dataclass(frozen=True)
class Holding:
    """What the lake holds of a day.

    Parameters
    ----------
    since, until
        The day, in UTC, or up to where it is asked for.
    files
        Files of the lake, by class.
    surveys
        What is in them, by class.
    """

    since: datetime
    until: datetime
    files: dict[Class, list[File]]
    surveys: dict[Class, Survey]

    @property
    def rows(self) -> dict[str, int]:
        """Number of events by class."""
        return {name: found.rows for name, found in self.surveys.items()}

    @property
    def met(self) -> Marks:
        """Marks of the containers and addresses in the events."""
        return sum(self.surveys.values(), Survey()).met

    @property
    def buckets(self) -> int:
        """How many buckets to deal to: a power of two, so that those of one day are whole buckets of another."""
        return 1 << (max(sum(self.rows.values()) - 1, 0) // EVENTS).bit_length()

    def last(self, name: Class) -> datetime:
        """Give the time of the last event of a class; before the day if there is none."""
        return self.surveys[name].last or self.since - timedelta.resolution


@dataclass(frozen=True)
class _Part:
    """Files to survey by one task, for a class and a day; `kept` is where their survey is, or will be, kept."""

    name: Class
    since: datetime
    until: datetime
    store: Store
    files: list[File]
    kept: Path


def holdings(lake: LakeReader, since: datetime, until: datetime, kept: Path, progress: Progress) -> list[Holding]:
    """See what the lake holds of the days from the one before `since` up to `until`.

    Parameters
    ----------
    kept
        Folder of surveys; those that no day needs any more are removed.
    """
    days = [(day, min(day + DAY, until)) for day in lake.days(floor_day(since) - DAY, until)]
    files = {(day, name): lake.files(day, end, kinds) for day, end in days for name, kinds in KINDS.items()}
    parts = [
        _Part(name, day, end, lake.store, some, kept / f"{fingerprint(code(), end, name, some)}.npz")
        for day, end in days
        for name in KINDS
        for some in slices(files[day, name])
    ]
    missing = [part for part in parts if not part.kept.exists()]
    for number, _ in enumerate(unordered(_survey, missing), 1):
        progress("survey", number / len(missing))
    for path in set(kept.glob("*")) - {part.kept for part in parts}:
        path.unlink()
    return [
        Holding(
            day,
            end,
            {name: files[day, name] for name in KINDS},
            {
                name: sum((survey.load(p.kept) for p in parts if (p.since, p.name) == (day, name)), Survey())
                for name in KINDS
            },
        )
        for day, end in days
    ]


def _survey(part: _Part) -> None:
    survey.save(survey.survey(part.store, part.files, part.since, part.until, KINDS[part.name]), part.kept)


def slices(files: Sequence[File]) -> Iterator[list[File]]:
    """Group files, in their order, to what one task reads: `SLICE_BYTES` unless one file is larger."""
    group: list[File] = []
    size = 0
    for file in files:
        if group and size + file.size > SLICE_BYTES:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    if group:
        yield group
