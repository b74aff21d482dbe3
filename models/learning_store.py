"""What was learnt night by night, on disk: the state after each of the last days, and the evidence of each day.

A state knows the fingerprint of each day that it learnt, and is true as long as none of them has changed. Late
telemetry changes the fingerprint of its day, and with it the names of all evidence that came after; the next refresh
goes on from the last state that is still true.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from features.baselines import HALF_LIFE, TABLES, Baseline
from features.protocols import specs
from models.held_out import HeldOut

STATES = 3  # kept: late telemetry of two days back does not mean to begin anew
_KEYS = ("workload", "window_start", "cohort", "image_repository")
_METHOD = "1"  # of learning: raised when what is learnt from the same windows changes

Days = Mapping[datetime, str]  # start of each day in UTC, and the fingerprint of its windows


@dataclass(frozen=True)
class State:
    """A stored baseline: where it lies, up to when it is learnt, and from what."""

    folder: Path
    until: datetime
    days: Days

    def agrees(self, days: Days) -> bool:
        """Say whether the days of a span, as they are now, are those that it learnt."""
        return all(self.days.get(start) == found for start, found in days.items() if start < self.until)

    def baseline(self) -> Baseline:
        """Read it."""
        since = datetime.fromisoformat(_told(self.folder)["since"])
        return Baseline(
            since, self.until, **{name: pl.read_parquet(self.folder / f"{name}.parquet") for name in TABLES}
        )


class LearningStore:
    """States and evidence under one directory, each written whole or not at all.

    Parameters
    ----------
    root
        Directory; created when something is saved.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def states(self) -> Iterator[State]:
        """Give the states, the latest first; those learnt by another method or for other features are left out."""
        for folder in sorted(self.root.glob("state-*"), reverse=True):
            told = _told(folder)
            if told["method"] == _method():
                days = {datetime.fromisoformat(start): found for start, found in told["days"].items()}
                yield State(folder, datetime.fromisoformat(told["until"]), days)

    def save(self, baseline: Baseline, days: Days) -> None:
        """Keep a state that learnt these days, and remove those before the last `STATES`."""
        folder = self.root / f"state-{baseline.until:%Y-%m-%d}"
        temporary = self.root / f".{folder.name}.{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o700, parents=True)
        for name in TABLES:
            getattr(baseline, name).write_parquet(temporary / f"{name}.parquet", compression="zstd")
        told = {
            "method": _method(),
            "since": baseline.since.isoformat(),
            "until": baseline.until.isoformat(),
            "days": {start.isoformat(): found for start, found in days.items() if start < baseline.until},
        }
        (temporary / "state.json").write_text(json.dumps(told))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
        for old in sorted(self.root.glob("state-*"))[:-STATES]:
            shutil.rmtree(old)

    def save_evidence(self, start: datetime, days: Days, held_out: HeldOut) -> Callable[[], HeldOut]:
        """Keep the evidence of the day from `start` against what the days before it taught; give what reads it."""
        path = self._evidence(start, days)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        bits = pl.DataFrame(held_out.bits, schema=list(specs()), orient="row")
        temporary = path.with_suffix(f".{os.getpid()}")
        pl.concat([held_out.keys.select(_KEYS), bits], how="horizontal").write_parquet(temporary, compression="zstd")
        temporary.replace(path)
        return partial(_read, path)

    def evidence(self, start: datetime, days: Days) -> Callable[[], HeldOut] | None:
        """Give what reads kept evidence; None if there is none, or what came before the day has changed."""
        path = self._evidence(start, days)
        return partial(_read, path) if path.exists() else None

    def expire(self, starts: list[datetime], days: Days) -> None:
        """Remove all evidence but that of these days."""
        kept = {self._evidence(start, days) for start in starts}
        for path in set(self.root.glob("evidence/*")) - kept:
            path.unlink()

    def replace_by(self, other: "LearningStore") -> None:
        """Take over what another store holds, which is empty then."""
        self.clear()
        if other.root.exists():
            other.root.replace(self.root)

    def clear(self) -> None:
        """Forget everything: the next refresh begins anew."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _evidence(self, start: datetime, days: Days) -> Path:
        """Name evidence by the day itself, and by all that it was weighed against."""
        learnt = [f"{day.isoformat()} {found}" for day, found in sorted(days.items()) if day <= start]
        name = hashlib.sha256("\n".join([_method(), *learnt]).encode()).hexdigest()[:32]
        return self.root / "evidence" / f"{start:%Y-%m-%d}-{name}.parquet"


def _read(path: Path) -> HeldOut:
    table = pl.read_parquet(path)
    return HeldOut(table.select(_KEYS), table.select(list(specs())).to_numpy())


def _method() -> str:
    """Name the way of learning: another one begins anew."""
    return hashlib.sha256(f"{_METHOD} {HALF_LIFE} {' '.join(specs())}".encode()).hexdigest()[:16]


def _told(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return told
