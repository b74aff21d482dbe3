"""Training from night to night: the days that are new are weighed and learnt, all others are remembered."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from features.extraction import floor_day
from models.detector import Detector
from models.held_out import DAY, Step, daily_steps, days_between, steps
from models.learning import Guarded, Learnt, WindowSource, learn_in_steps
from models.learning_store import STATES, Days, LearningStore
from models.quarantine import Guard
from models.training import Progress, finish


class DailyWindows(WindowSource, Protocol):
    """Windows kept by day."""

    def fingerprint(self, day: datetime) -> str:
        """Name the content of a day's windows, whose start in UTC is given; the same for a day without any."""


@dataclass(frozen=True)
class Remembered:
    """Where learning goes on.

    Parameters
    ----------
    learnt
        State and evidence of the steps before it.
    steps
        Those to be taken.
    days
        What the state learnt.
    """

    learnt: Learnt
    steps: list[Step]
    days: Days


@dataclass(frozen=True)
class Night:
    """What a night learnt.

    Parameters
    ----------
    learnt, guarded, steps
        As `models.training.finish` takes them.
    learnt_from
        When what was learnt anew begins; None if everything was.
    """

    learnt: Learnt
    guarded: Guarded
    steps: list[Step]
    learnt_from: datetime | None


def learn_nightly(
    source: DailyWindows,
    store: LearningStore,
    since: datetime,
    until: datetime,
    guard: Guard,
    progress: Progress = lambda _step, _share: None,
) -> Night:
    """Learn the days since the last night; see `train_nightly`."""
    parts = steps(since, until)
    guarded = Guarded(source, since, until, guard)
    at_hand = {start: source.fingerprint(start) for start, _ in days_between(floor_day(since), until)}
    daily = bool(daily_steps(since, until))
    found = _remembered(store, at_hand, parts) if daily else None
    start = found or Remembered(Learnt.nothing(since), parts, {})
    days = {**start.days, **at_hand}

    def done(step: Step, learnt: Learnt) -> Learnt:
        progress("evidence", (parts.index(step) + 1) / len(parts))
        if not daily or step[1] != floor_day(step[1]):
            return learnt
        *earlier, latest = learnt.held_out
        kept = store.save_evidence(step[0], days, latest())
        if until - step[1] < STATES * DAY:
            store.save(learnt.baseline, days)
        return replace(learnt, held_out=[*earlier, kept])

    learnt = learn_in_steps(source, start.steps, start.learnt, guarded, done)
    store.expire([step[0] for step in parts], days)
    return Night(learnt, guarded, parts, start.learnt.baseline.until if found else None)


def train_nightly(
    source: DailyWindows,
    store: LearningStore,
    since: datetime,
    until: datetime,
    *,
    budget: float = 1.0,
    seed: int = 0,
    guard: Guard | None = None,
    progress: Progress = lambda _step, _share: None,
) -> tuple[Detector, dict[str, Any]]:
    """Train a detector on what is remembered and on the days since.

    What was learnt before `since` stays learnt, decayed. While there are too few days to weigh each against those
    before it, everything is learnt anew.

    Parameters
    ----------
    source
        Windows from `since` on at least.
    since, until
        Span of the windows at hand; evidence is of its later half.
    guard
        What may not be learnt, or may although it was strange; None learns everything.

    Returns
    -------
    As of `models.training.train`; the report says in `learnt_from` whether and from when learning went on.

    Raises
    ------
    TrainingError
        If there is too little to learn from.
    """
    guard = guard or Guard(lasting=timedelta(0))
    night = learn_nightly(source, store, since, until, guard, progress)
    detector, report = finish(
        source,
        night.learnt,
        night.guarded,
        night.steps,
        since,
        budget=budget,
        seed=seed,
        guard=guard,
        progress=progress,
    )
    return detector, report | {"learnt_from": night.learnt_from.isoformat() if night.learnt_from else None}


def _remembered(store: LearningStore, at_hand: Days, parts: list[Step]) -> Remembered | None:
    """Find the latest state that is true, and before which no evidence is missing."""
    for state in store.states():
        before = [step for step in parts if step[1] <= state.until]
        if state.agrees(at_hand) and (len(before) == len(parts) or parts[len(before)][0] >= state.until):
            days = {**state.days, **at_hand}
            evidence = [store.evidence(start, days) for start, _ in before]
            if all(kept is not None for kept in evidence):
                learnt = Learnt(state.baseline(), [kept for kept in evidence if kept is not None])
                return Remembered(learnt, parts[len(before) :], state.days)
    return None
