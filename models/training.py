"""Learn a detector from the lake: baseline, forest, calibrations, and the figures that decide whether it may serve."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.addresses import INTERNAL, Network
from features.evidence import Normal
from features.extraction import closed_until, extract_days
from features.lake import Lake
from features.windows import Windows, floor_window, merge_windows
from models.aggregates import by_group, two_strongest
from models.alert_rate import AlertRate
from models.calibration import TailCalibration
from models.channels import Channels, strength, summed
from models.cohort_forests import CohortForests
from models.detector import Detector
from models.forest import fit_cohort_forests
from models.held_out import HeldOut, Step, steps
from models.learning import Guarded, InMemory, Learnt, WindowSource, find_strange, learn_in_steps
from models.quarantine import Guard
from models.rolling import rolling_max
from models.training_report import RATES, describe_training, share_of_span
from models.trust import Trust

MIN_WINDOWS = 200
PARTS = 6

Progress = Callable[[str, float], None]
Tails = tuple[Trust, CohortForests, dict[str, TailCalibration]]


class TrainingError(Exception):
    """There is not enough to learn from; the message says what to do."""


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
    windows = merge_windows(parts)
    since = min(windows.values["window_start"].to_list(), default=since)
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
    source, parts = InMemory(windows), steps(since, until)
    guarded = Guarded(source, since, until, guard)

    def done(step: Step, learnt: Learnt) -> Learnt:
        progress("evidence", (parts.index(step) + 1) / len(parts))
        return learnt

    learnt = learn_in_steps(
        source,
        parts,
        Learnt.nothing(since),
        guarded,
        done,
    )
    return finish(source, learnt, guarded, parts, since, budget=budget, seed=seed, guard=guard, progress=progress)


def finish(
    source: WindowSource,
    learnt: Learnt,
    guarded: Guarded,
    parts: list[Step],
    since: datetime,
    *,
    budget: float,
    seed: int,
    guard: Guard,
    progress: Progress = lambda _step, _share: None,
) -> tuple[Detector, dict[str, Any]]:
    """Make a detector of what was learnt in steps.

    Parameters
    ----------
    source, since
        The windows, and from when on they are at hand.
    learnt, guarded, parts
        What the steps `parts` taught, and what was held back while they did.

    Raises
    ------
    TrainingError
        If there were fewer than `MIN_WINDOWS` windows, or none in a step.
    """
    held_out = HeldOut.concat([kept().thinned() for kept in learnt.held_out])
    until = learnt.baseline.until
    if learnt.baseline.workloads["windows"].sum() < MIN_WINDOWS:
        raise TrainingError(
            f"fewer than {MIN_WINDOWS} windows of telemetry before {until:%Y-%m-%dT%H:%MZ}; "
            "ingest more, or set --until later"
        )
    if held_out.keys.is_empty():
        raise TrainingError("no telemetry in the later half of the span; ingest more, or set --until earlier")
    progress("forest", 0.0)
    unseen = unseen_strength(held_out, seed)
    channels = fit_channels(held_out, unseen, budget, seed)
    progress("forest", 1.0)
    strange = find_strange(source, parts, learnt.held_out, channels, guarded.take_from(learnt.baseline))
    guarded = Guarded(source, since, until, guard, strange)
    normal, withheld = Normal.of(guarded.take_from(learnt.baseline)), guarded.withheld
    progress("baseline", 1.0)
    report = describe_training(learnt.baseline.workloads, held_out, channels, unseen, budget=budget, seed=seed)
    report |= {"held_back": len(withheld.held)}
    manifest = {"training": report, "budget": budget, "seed": seed}
    return Detector("", manifest, normal, channels, withheld.held, withheld.waiting), report


def _span(lake: Lake, until: datetime | None, days: int) -> tuple[datetime, datetime]:
    span, closed = lake.span(), closed_until(lake)
    if span is None or closed is None:
        raise TrainingError("the lake is empty; run `wharfinger ingest PATH` first")
    until = floor_window(min(until, closed)) if until else closed
    return max(floor_window(span[0]), until - timedelta(days=days)), until


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
    # Groups are fewer than features, and the strongest within an hour is the same whichever maximum is taken first.
    return two_strongest(rolling_max(held_out.keys, by_group(trust.apply(held_out.bits)))[0])


def fit_channels(held_out: HeldOut, unseen: NDArray[np.float64], budget: float, seed: int) -> Channels:
    """Fit the channels on held-out windows, and their alert rate on the `unseen_strength` of these."""
    rate = AlertRate.fit(held_out.keys, unseen, held_out.share)
    thresholds = {name: rate.threshold(budget * times) for name, times in RATES.items()}
    return Channels(*_tails(held_out, seed), rate, thresholds)
