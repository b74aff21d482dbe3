"""One estate as validation sees it: its ground truth, a detector's scores, and the judge between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.extraction import closed_until, extract_days
from features.lake import Lake
from features.windows import merge_windows
from models.detector import Detector
from models.incidents import Alert as Incident
from models.incidents import alerts as join
from models.scores import Score, Severity
from models.training import train
from service.emulation.labels import Attack, Labels, Lookalike
from service.validation.judge import Act, Judge
from service.validation.scored import Scored, seconds

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Trial:
    """An estate that was scored.

    Parameters
    ----------
    labels
        Its ground truth.
    scored
        Every window of the watched days.
    thresholds
        Bits from which a window has a severity, as the detector set them for its budget.
    incidents
        What the service would list from `low` on, strongest first.
    """

    labels: Labels
    scored: Scored
    thresholds: dict[Severity, float]
    incidents: tuple[Incident, ...] = ()

    @cached_property
    def judge(self) -> Judge:
        """Judge of the scores against everything malign that was played."""
        return Judge(self.scored, [act_of(attack) for attack in malign(self.labels)])

    @cached_property
    def attacks(self) -> list[Attack]:
        """Attacks that were played for themselves: no chain, no part of one."""
        whole = {attack.chain for attack in self.labels.attacks}
        return [a for a in malign(self.labels) if not a.chain and a.id not in whole]

    @cached_property
    def untouched(self) -> NDArray[np.bool_]:
        """Which workloads, by position in `scored.names`, no emulated act touched at all."""
        touched = {name.lower() for attack in self.labels.attacks for name in attack.workloads}
        return np.array([name not in touched for name in self.scored.names], dtype=bool)


def malign(labels: Labels) -> list[Attack]:
    """List what an alert may be true of; of a chain its parts, where they are labelled, for it lasts days."""
    whole = {attack.chain for attack in labels.attacks}
    return [attack for attack in labels.attacks if not attack.benign and attack.id not in whole]


def act_of(told: Attack | Lookalike) -> Act:
    """Read when and where something was done."""
    names = {told.workload, *(told.workloads if isinstance(told, Attack) else ())}
    return Act(frozenset(name.lower() for name in names), seconds(told.start), seconds(told.end))


def try_out(lake: Lake, labels: Labels, *, budget: float, progress: Progress = lambda _step, _share: None) -> Trial:
    """Train on the days before the watch began, as a refresh does, and score what follows, as the service does."""
    watch = datetime.fromisoformat(labels.watch)
    detector, _ = train(lake, until=watch, budget=budget, progress=progress)
    scores = watched_scores(lake, detector, watch, progress)
    return Trial(
        labels,
        Scored.of(scores),
        dict(detector.channels.thresholds),
        tuple(join(scores, at_least="low")),
    )


def watched_scores(lake: Lake, detector: Detector, watch: datetime, progress: Progress) -> Sequence[Score]:
    """Score the closed windows from the watch on."""
    until = closed_until(lake)
    if until is None or until <= watch:
        return []
    days = list(extract_days(lake, watch, until, progress=lambda done: progress("score", done)))
    return detector.score(merge_windows(days), watch)
