"""Learn a detector from the lake: baseline, forest, calibrations, and the figures that decide whether it may serve."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.addresses import INTERNAL, Network
from features.baselines import learn
from features.evidence import Evidence, Normal, weigh
from features.extraction import closed_until, extract_days
from features.lake import Lake
from features.windows import Windows, floor_window, merge_windows
from models.aggregates import aggregate
from models.alert_rate import AlertRate
from models.calibration import TailCalibration
from models.channels import Channels, strength, summed
from models.cohort_forests import CohortForests
from models.detector import Detector
from models.forest import fit_cohort_forests
from models.quarantine import Guard, strange_parts
from models.rolling import rolling_max
from models.training_report import RATES, describe_training, share_of_span
from models.trust import Trust

FOLDS = (0.5, 0.67, 0.83, 1.0)
MIN_WINDOWS = 200
PARTS = 6

Progress = Callable[[str, float], None]
Tails = tuple[Trust, CohortForests, dict[str, TailCalibration]]


class TrainingError(Exception):
    """There is not enough to learn from; the message says what to do."""


@dataclass(frozen=True)
class HeldOut:
    """Evidence of windows that the baseline they are weighed against has not seen."""

    keys: pl.DataFrame
    bits: NDArray[np.float64]

    @property
    def cohorts(self) -> NDArray[np.str_]:
        """Cohort of each window."""
        return self.keys["cohort"].to_numpy()

    def where(self, kept: NDArray[np.bool_]) -> "HeldOut":
        """Keep some of the windows, shape (n,)."""
        return HeldOut(self.keys.filter(pl.Series(kept)), self.bits[kept])


def train(
    lake: Lake,
    *,
    until: datetime | None = None,
    days: int = 30,
    networks: tuple[Network, ...] = INTERNAL,
    budget: float = 1.0,
    seed: int = 0,
    guard: Guard | None = None,
    progress: Progress = lambda _step, _share: None,
) -> tuple[Detector, dict[str, Any]]:
    """Train a detector on the `days` before `until`.

    Parameters
    ----------
    until
        End of the training span, exclusive; the end of the last closed window by default.
    budget
        False alerts a day for the whole fleet that `high` is set for.
    guard
        What may not be learnt, or may although it was strange; None learns everything.
    progress
        Called with the step's name and the share of it that is done.

    Returns
    -------
    The detector, its version still empty, and a report ready for JSON.

    Raises
    ------
    TrainingError
        If the span holds fewer than `MIN_WINDOWS` windows.
    """
    since, until = _span(lake, until, days)
    parts = list(extract_days(lake, since, until, networks=networks, progress=lambda s: progress("windows", s)))
    if sum(len(part.values) for part in parts) < MIN_WINDOWS:
        raise TrainingError(
            f"fewer than {MIN_WINDOWS} windows of telemetry before {until:%Y-%m-%dT%H:%MZ}; "
            "ingest more, or set --until later"
        )
    windows = merge_windows(parts)
    since = windows.values["window_start"].min()  # type: ignore[assignment]
    return fit(
        windows, since, until, budget=budget, seed=seed, guard=guard or Guard(lasting=timedelta(0)), progress=progress
    )


def fit(
    windows: Windows,
    since: datetime,
    until: datetime,
    *,
    budget: float,
    seed: int,
    guard: Guard,
    progress: Progress = lambda _step, _share: None,
) -> tuple[Detector, dict[str, Any]]:
    """Fit a detector to the windows of a span; see `train`."""
    cleared = guard.withhold(windows, guard.held, until).kept
    held_out = held_out_evidence(windows, since, until, progress, learnt=cleared)
    unseen = unseen_strength(held_out, seed)
    channels = fit_channels(held_out, unseen, budget, seed)
    progress("forest", 1.0)
    withheld = guard.withhold(windows, strange_in_folds(held_out, channels, cleared, windows, since, until), until)
    normal = Normal.of(learn(withheld.kept, since, until))
    progress("baseline", 1.0)
    judged = Evidence(held_out.keys, held_out.bits, pl.DataFrame(), pl.DataFrame())
    report = describe_training(windows, judged, channels, unseen, budget=budget, seed=seed)
    report |= {"held_back": len(withheld.held)}
    manifest = {"training": report, "budget": budget, "seed": seed}
    return Detector("", manifest, normal, channels, withheld.held, withheld.waiting), report


def strange_in_folds(
    held_out: HeldOut, channels: Channels, learnt: Windows, windows: Windows, since: datetime, until: datetime
) -> pl.DataFrame:
    """Find what made held-out windows strange, each against what was learnt before its fold."""
    found = []
    for start, end in _folds(since, until):
        inside = held_out.keys["window_start"].is_between(start, end, closed="left")
        fold = Evidence(held_out.keys.filter(inside), held_out.bits[inside.to_numpy()], pl.DataFrame(), pl.DataFrame())
        known = learnt.between(None, start).items.select("workload", "feature", "item").unique()
        if len(fold.keys):
            found.append(strange_parts(fold, channels, windows.between(start, end).items, known))
    return pl.concat(found)


def _span(lake: Lake, until: datetime | None, days: int) -> tuple[datetime, datetime]:
    span, closed = lake.span(), closed_until(lake)
    if span is None or closed is None:
        raise TrainingError("the lake is empty; run `wharfinger ingest PATH` first")
    until = floor_window(min(until, closed)) if until else closed
    return max(floor_window(span[0]), until - timedelta(days=days)), until


def held_out_evidence(
    windows: Windows,
    since: datetime,
    until: datetime,
    progress: Progress = lambda _step, _share: None,
    *,
    learnt: Windows | None = None,
) -> HeldOut:
    """Weigh later parts of the span against baselines of what came before each, in `learnt` if that is less.

    Raises
    ------
    TrainingError
        If the later half of the span holds no window.
    """
    folds = _folds(since, until)
    found: list[HeldOut] = []
    for number, (start, end) in enumerate(folds, 1):
        later = windows.between(start, end)
        if not later.values.is_empty():
            evidence = weigh(later, Normal.of(learn(learnt or windows, since, start)))
            found.append(HeldOut(evidence.keys, evidence.bits))  # and not what it stands on, which is large
        progress("evidence", number / len(folds))
    if not found:
        raise TrainingError("no telemetry in the later half of the span; ingest more, or set --until earlier")
    return HeldOut(pl.concat([part.keys for part in found]), np.vstack([part.bits for part in found]))


def _folds(since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    return list(pairwise(floor_window(since + (until - since) * share) for share in FOLDS))


def unseen_strength(held_out: HeldOut, seed: int) -> NDArray[np.float64]:
    """Give the strength of held-out windows by what was fitted without them, shape (n,).

    Trust, forests and calibrations call the windows that they were fitted on less strange than others. So each of
    `PARTS` parts of the span is judged by what is fitted on the others; a part is a stretch of time, since a window
    says much about the next one.
    """
    part = (share_of_span(held_out.keys) * PARTS).astype(np.int64)
    strengths = np.empty(len(part))
    for own in (part == number for number in np.unique(part)):
        trust, forests, calibrations = _tails(held_out.where(~own if not own.all() else own), seed)
        judged = held_out.where(own)
        strengths[own] = strength(_vectors(trust, judged), judged.cohorts, forests, calibrations)
    return strengths


def _tails(held_out: HeldOut, seed: int) -> Tails:
    trust, cohorts = Trust.measure(held_out.bits), held_out.cohorts
    vectors = _vectors(trust, held_out)
    forests = fit_cohort_forests(vectors, cohorts, seed=seed)
    return (
        trust,
        forests,
        {
            "forest": TailCalibration.fit(forests.score(vectors, cohorts), cohorts),
            "sum": TailCalibration.fit(summed(vectors), cohorts),
        },
    )


def _vectors(trust: Trust, held_out: HeldOut) -> NDArray[np.float64]:
    return aggregate(rolling_max(held_out.keys, trust.apply(held_out.bits))[0])


def fit_channels(held_out: HeldOut, unseen: NDArray[np.float64], budget: float, seed: int) -> Channels:
    """Fit the channels on held-out windows, and their alert rate on the `unseen_strength` of these."""
    rate = AlertRate.fit(held_out.keys, unseen)
    thresholds = {name: rate.threshold(budget * times) for name, times in RATES.items()}
    return Channels(*_tails(held_out, seed), rate, thresholds)
