"""Which alerts to ask a person about first: those whose verdict would tell the most of the others."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.incidents import Alert
from models.scores import Reason

HALVING = 10.0  # bits above the threshold over which the doubt whether an alert is one halves


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An alert to give a verdict on, and why.

    `settles` is how many alerts, itself included, an `expected` verdict would explain: the sum of the shares of their
    bits. `margin` is in bits above the threshold of `high`, `maturity` in [0, 1] is that of the baseline it stood on.
    """

    alert: Alert
    settles: float
    margin: float
    maturity: float
    why: str


def propose(found: Iterable[Alert], threshold: float, kin: Mapping[str, object], *, limit: int = 5) -> list[Proposal]:
    """Choose greedily the alerts whose verdict would help most.

    A verdict helps by what it settles, the more the less sure the alert is: near the threshold, or told from an
    immature baseline. What one choice settles counts no more for the next (greedy cover: Nemhauser, Wolsey and Fisher,
    1978), so that five proposals are not five times the same.

    Parameters
    ----------
    found
        Alerts that nobody ruled on, in any order.
    threshold
        Bits from which a window is `high`.
    kin
        What the workloads that a verdict holds for have in common, by workload; one that is missing has no kin.
    limit
        Most proposals to give.

    Returns
    -------
    The most helpful first.
    """
    alerts = sorted(found, key=lambda alert: (alert.start, alert.workload))
    shares = _shares(alerts, kin)
    doubts, left = np.array([_doubt(alert, threshold) for alert in alerts]), np.ones(len(alerts))
    chosen: list[Proposal] = []
    open_to_all = np.ones(len(alerts), dtype=bool)
    while len(chosen) < limit and open_to_all.any():
        settles = np.minimum(shares, left).sum(axis=1)
        best = int(np.argmax(np.where(open_to_all, doubts * settles, -1.0)))
        chosen.append(_proposal(alerts[best], float(settles[best]), threshold))
        left -= np.minimum(shares[best], left)
        open_to_all[best] = False
    return chosen


def _doubt(alert: Alert, threshold: float) -> float:
    immature = 1.0 - alert.strongest.baseline.maturity
    return float(2.0 ** (-max(alert.bits - threshold, 0.0) / HALVING) * (1.0 + immature))


def _shares(alerts: Sequence[Alert], kin: Mapping[str, object]) -> NDArray[np.float64]:
    """Tell which share of each alert (column) a verdict on each (row) explains: of its kin, and from its start on."""
    shares = np.eye(len(alerts))
    groups: dict[object, list[int]] = defaultdict(list)
    for place, alert in enumerate(alerts):
        groups[kin.get(alert.workload, alert.workload)].append(place)
    for own in groups.values():
        for number, one in enumerate(own):
            for later in own[number + 1 :]:
                shares[one, later] = _explained(alerts[later], alerts[one])
    return shares


def _explained(alert: Alert, by: Alert) -> float:
    met = {(one.feature, one.value) for one in _open(by) if one.amount is None}
    most = {one.feature: one.amount for one in _open(by) if one.amount is not None}
    told = [
        (one.bits, (one.feature, one.value) in met if one.amount is None else one.amount <= most.get(one.feature, -1.0))
        for one in _open(alert)
    ]
    total = sum(bits for bits, _ in told)
    return sum(bits for bits, explained in told if explained) / total if total else 0.0


def _open(alert: Alert) -> list[Reason]:
    return [reason for reason in alert.strongest.reasons if reason.explained is None]


def _proposal(alert: Alert, settles: float, threshold: float) -> Proposal:
    margin, maturity = alert.bits - threshold, alert.strongest.baseline.maturity
    alike = settles - 1.0
    said = f"would explain about {alike:.1f} other alerts too; " if alike >= 0.05 else ""  # noqa: PLR2004 -- shown as 0.1
    why = f"{said}{margin:.1f} bits above the threshold, on a baseline {maturity:.0%} mature"
    return Proposal(alert=alert, settles=settles, margin=margin, maturity=maturity, why=why)
