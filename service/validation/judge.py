# ruff: noqa: D101, D102, D103
# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Judge scores against the ground truth as an analyst would: in alerts, not in windows.

Strange windows of one workload less than six hours apart are one alert. An alert is true when it overlaps an attack on
its workload (or on one that the ground truth lists beside it). An attack counts as caught at a threshold when a true
alert overlaps it. Run `python -m service.validation.judge SCORES.ndjson DIR/labels.json`.
"""

import argparse
import json
import sys
from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

GAP = 6 * 3600.0
RATES = (0.1, 1.0, 2.0, 5.0, 10.0)
_LIMIT = 6_000


class Reason(msgspec.Struct):
    feature: str = ""
    bits: float = 0.0
    text: str = ""


class Score(msgspec.Struct):
    workload: str
    window_start: str
    bits: float
    window_end: str = ""
    evidence: dict[str, float] = {}
    reasons: list[Reason] = []
    at: float = 0.0

    @property
    def first_reason(self) -> str:
        return (self.reasons[0].text or self.reasons[0].feature) if self.reasons else ""


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Attack:
    item: dict[str, Any]
    start: float
    end: float
    workloads: frozenset[str]
    best: Score | None = None

    @property
    def bits(self) -> float:
        return self.best.bits if self.best else 0.0


@dataclass
class Alert:
    workload: str
    start: float
    end: float
    peak: Score
    true: bool


@dataclass
class Curve:
    """False alerts (a count) as the threshold comes down: `thresholds` descending."""

    thresholds: list[float] = field(default_factory=list)
    false: list[int] = field(default_factory=list)

    def at_most(self, allowed: float) -> float:
        """Return the lowest threshold before the false alerts first exceed `allowed`."""
        chosen = float("inf")
        for threshold, count in zip(self.thresholds, self.false, strict=True):
            if count > allowed:
                break
            chosen = threshold
        return chosen

    def above(self, bits: float) -> int:
        """Return how many false alerts are stronger than `bits`."""
        count = 0
        for threshold, value in zip(self.thresholds, self.false, strict=True):
            if threshold <= bits:
                break
            count = value
        return count


class Judge:
    def __init__(
        self, scores: list[Score], attacks: list[Attack], *, window: float = 600.0, grace: float = 3600.0
    ) -> None:
        self.scores, self.attacks, self.window, self.grace = scores, attacks, window, grace
        self.by_workload: dict[str, list[Attack]] = defaultdict(list)
        for attack in attacks:
            for workload in attack.workloads:
                self.by_workload[workload].append(attack)
        self.days = (max(s.at for s in scores) + window - min(s.at for s in scores)) / 86_400
        self.workloads = len({s.workload for s in scores})
        for score in scores:
            for attack in self.by_workload.get(score.workload.lower(), ()):
                if self._overlaps(score.at, score.at + window, attack) and score.bits > attack.bits:
                    attack.best = score
        self.curve = self._sweep()

    def _overlaps(self, low: float, high: float, attack: Attack) -> bool:
        return low < attack.end + self.grace and high > attack.start

    def _true(self, workload: str, low: float, high: float) -> bool:
        return any(self._overlaps(low, high, attack) for attack in self.by_workload.get(workload.lower(), ()))

    def _runs(self, workload: str, moments: list[float]) -> list[tuple[float, float, bool]]:
        runs: list[tuple[float, float, bool]] = []
        begin = last = moments[0]
        for moment in [*moments[1:], float("inf")]:
            if moment - last >= GAP + self.window:
                runs.append((begin, last + self.window, self._true(workload, begin, last + self.window)))
                begin = moment
            last = moment
        return runs

    def _sweep(self) -> Curve:
        curve, total = Curve(), 0
        moments: dict[str, list[float]] = defaultdict(list)
        false: dict[str, int] = defaultdict(int)
        for score in sorted(self.scores, key=lambda s: -s.bits)[:_LIMIT]:
            insort(moments[score.workload], score.at)
            count = sum(not true for _, _, true in self._runs(score.workload, moments[score.workload]))
            total += count - false[score.workload]
            false[score.workload] = count
            if curve.thresholds and curve.thresholds[-1] == score.bits:
                curve.false[-1] = total
            else:
                curve.thresholds.append(score.bits)
                curve.false.append(total)
        return curve

    def alerts(self, threshold: float) -> list[Alert]:
        strange: dict[str, list[Score]] = defaultdict(list)
        for score in self.scores:
            if score.bits >= threshold:
                strange[score.workload].append(score)
        out = []
        for workload, items in strange.items():
            items.sort(key=lambda s: s.at)
            moments = [s.at for s in items]
            for low, high, true in self._runs(workload, moments):
                inside = items[bisect_left(moments, low) : bisect_left(moments, high)]
                out.append(Alert(workload, low, high, max(inside, key=lambda s: s.bits), true))
        return sorted(out, key=lambda alert: -alert.peak.bits)

    def caught(self, threshold: float) -> list[Attack]:
        return [attack for attack in self.attacks if attack.best and attack.bits >= threshold]

    def delay(self, attack: Attack, threshold: float) -> float | None:
        moments = [
            s.at
            for s in self.scores
            if s.workload.lower() in attack.workloads
            and s.bits >= threshold
            and self._overlaps(s.at, s.at + self.window, attack)
        ]
        return max(0.0, min(moments) + self.window - attack.start) / 60 if moments else None


def rates_table(judge: Judge) -> Table:
    table = Table(
        box=box.SIMPLE,
        title_justify="left",
        title=f"caught of {len(judge.attacks)} attacks; {judge.days:.1f} days, {judge.workloads} workloads",
    )
    for name in (
        "false alerts a day",
        "for the whole estate",
        "threshold, bits",
        "per 100 workloads",
        "threshold, bits",
    ):
        table.add_column(name, justify="right")
    for rate in RATES:
        cells = [f"{rate:g}"]
        for scale in (1.0, judge.workloads / 100):
            threshold = judge.curve.at_most(rate * judge.days * scale)
            cells += [str(len(judge.caught(threshold))), f"{threshold:.1f}"]
        table.add_row(*cells)
    return table


def attacks_table(judge: Judge) -> Table:
    threshold = judge.curve.at_most(judge.days)
    ranked = judge.alerts(judge.curve.at_most(10 * judge.days))
    table = Table(
        box=box.SIMPLE, title_justify="left", title=f"attacks at one false alert a day ({threshold:.1f} bits)"
    )
    for name in ("id", "scenario", "caught", "bits", "rank", "false above", "delay, min", "workload", "first reason"):
        table.add_column(name, justify="right" if name in {"bits", "rank", "false above", "delay, min"} else "left")
    for attack in sorted(judge.attacks, key=lambda a: -a.bits):
        caught, delay = attack.bits >= threshold, judge.delay(attack, threshold)
        rank = sum(alert.peak.bits > attack.bits for alert in ranked) + 1
        item, best = attack.item, attack.best
        table.add_row(
            item["id"], f"{item['scenario']} {item.get('variant', '')[:4]}", "yes" if caught else "-", f"{attack.bits:.1f}", str(rank),
            str(judge.curve.above(attack.bits)), "" if delay is None else f"{delay:.0f}", best.workload if best else item["workload"],
            best.first_reason if best else f"(no window) {item['note']}",
        )  # fmt: skip
    return table


def false_table(judge: Judge, benign: list[dict[str, Any]], count: int) -> Table:
    table = Table(box=box.SIMPLE, title_justify="left", title="strongest false alerts")
    for name in ("bits", "workload", "from", "windows' span", "families", "benign label", "first reason"):
        table.add_column(name)
    false = [alert for alert in judge.alerts(judge.curve.at_most(10 * judge.days)) if not alert.true]
    for alert in false[:count]:
        families = " ".join(
            f"{name}:{bits:.0f}"
            for name, bits in sorted(alert.peak.evidence.items(), key=lambda kv: -kv[1])[:2]
            if bits >= 1
        )
        table.add_row(f"{alert.peak.bits:.1f}", alert.workload, alert.peak.window_start[5:16], f"{(alert.end - alert.start) / 3600:.1f} h",
                      families, label_of(alert, benign), alert.peak.first_reason)  # fmt: skip
    return table


def label_of(alert: Alert, benign: list[dict[str, Any]]) -> str:
    """Name the benign acts on the workload (or in brackets: on its host) around the peak of an alert."""
    low, high = alert.peak.at - 900, alert.peak.at + 1500
    near = [b for b in benign if seconds(b["start"]) < high and seconds(b["end"]) > low]
    own = {b["act"] for b in near if b["workload"] == alert.workload}
    if own:
        return ", ".join(sorted(own))
    prefix = alert.workload.split("/")[0].replace("host:", "docker:")
    other = {b["act"] for b in near if b["workload"].split("/")[0].replace("host:", "docker:") == prefix}
    return f"({', '.join(sorted(other))})" if other else ""


def read_scores(path: Path, since: float, until: float) -> list[Score]:
    decode = msgspec.json.Decoder(Score).decode
    scores = []
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                score = decode(line)
                score.at = seconds(score.window_start)
                if since <= score.at < until:
                    scores.append(score)
    return scores


def read_attacks(path: Path) -> list[Attack]:
    items = json.loads(path.read_text(encoding="utf-8"))["attacks"]
    return [
        Attack(
            item,
            seconds(item["start"]),
            seconds(item["end"]),
            frozenset(name.lower() for name in [item["workload"], *item.get("workloads", [])]),
        )
        for item in items
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m service.validation.judge")
    parser.add_argument("scores", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--since", default="1970-01-01T00:00:00Z")
    parser.add_argument("--until", default="2200-01-01T00:00:00Z")
    parser.add_argument("--false", type=int, default=25, help="how many false alerts to list")
    parser.add_argument(
        "--grace", type=float, default=60.0, help="minutes after an attack that still count as the attack"
    )
    given = parser.parse_args()
    scores = read_scores(given.scores, seconds(given.since), seconds(given.until))
    if not scores:
        sys.exit("no scores in that span")
    judge = Judge(scores, read_attacks(given.labels), grace=given.grace * 60)
    benign = json.loads(given.labels.read_text(encoding="utf-8"))["lookalikes"]
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(rates_table(judge))
    console.print(attacks_table(judge))
    console.print(false_table(judge, benign, given.false))


if __name__ == "__main__":
    main()
