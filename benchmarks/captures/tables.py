"""Tables of the measured figures."""

from collections.abc import Iterable, Sequence

import numpy as np
from rich import box
from rich.table import Table

from benchmarks.captures import audit, pods, podspec
from benchmarks.captures.http_day import Day
from benchmarks.captures.network import (
    OURS,
    Scores,
    Standing,
    edge_standings,
    infected,
    workload_standings,
)
from benchmarks.captures.place import Edge
from benchmarks.captures.ranking import auroc, auroc_within
from benchmarks.captures.rivals import Floats
from benchmarks.captures.zeek import Capture

BEACONS = (OURS, "naive beacon", "RITA's form", "regularity")
OUTLIERS = ("isolation forest", "ECOD", "COPOD")
Measured = Sequence[tuple[Capture, frozenset[Edge], dict[str, Scores]]]


def _table(title: str, columns: Iterable[str], left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for position, name in enumerate(columns):
        table.add_column(name, justify="left" if position < left else "right", no_wrap=position < left)
    return table


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _standing(given: Standing | None) -> str:
    if given is None:
        return "-"
    return f"{_share(given.auroc)} (#{given.ranks[0]:g})" if given.hostile == 1 else _share(given.auroc)


def edges(measured: Measured, fewest: int) -> Table:
    """Rank edges; (#n) is the rank of a single hostile one."""
    title = f"edges with {fewest} connections or more: AUROC" if fewest > 1 else "all edges: AUROC"
    table = _table(title, ("capture", "baseline", "hostile of edges", *BEACONS, *OUTLIERS), left=2)
    for capture, unsure, protocols in measured:
        for protocol, found in protocols.items():
            for without, note in ((frozenset(), ""), (unsure, ", doubtful left out")):
                if note and not without:
                    continue
                given = edge_standings(capture, found, fewest=fewest, without=without)
                any_one = given[OURS]
                table.add_row(
                    f"{capture.name}{note}",
                    protocol + ("" if found.modelled else "*"),
                    f"{any_one.hostile} of {any_one.subjects}",
                    *(_standing(given.get(name)) for name in (*BEACONS, *OUTLIERS)),
                )
    table.caption = "* fewer than 200 windows to learn from: no model, evidence at its word"
    return table


def workloads(measured: Measured) -> Table:
    """Rank workloads by their strongest window."""
    table = _table(
        "workloads: ranks of the infected ones",
        ("capture", "baseline", "infected of all", OURS, *OUTLIERS, "infected at high", "others at high"),
        left=2,
    )
    for capture, _, protocols in measured:
        for protocol, found in protocols.items():
            given, hostile = workload_standings(capture, found), infected(capture)
            if OURS not in given or not found.modelled:
                continue
            cells = [
                ", ".join(f"{rank:g}" for rank in given[name].ranks) if name in given else "-"
                for name in (OURS, *OUTLIERS)
            ]
            high, subjects = found.alerting & hostile, given[OURS].subjects
            table.add_row(
                capture.name, protocol, f"{given[OURS].hostile} of {subjects}", *cells,
                str(len(high)), f"{len(found.alerting - hostile)} of {subjects - given[OURS].hostile}",
            )  # fmt: skip
    return table


def benign_day(day: Day) -> list[Table]:
    """Count the alerts of a benign day, and show its strongest beacons."""
    table = _table(
        f"benign requests: {day.hosts} hosts, {day.days:.2f} days judged",
        ("threshold", "bits", "alerts", "alerts a day"),
    )
    for name, count in day.alerts.items():
        table.add_row(name, f"{day.thresholds[name]:.1f}", str(count), f"{count / day.days:.1f}")
    beacons = _table(f"its strongest beacons, of {len(day.beacons)}", ("edge", "regularity", "bits"))
    for (source, target, port), steady, bits in day.beacons[:5]:
        beacons.add_row(f"{source} to {target}:{port}", f"{steady:.3f}", f"{bits:.1f}")
    return [table, beacons]


def pod_specifications(cases: Sequence[podspec.Case], scores: dict[str, Floats]) -> Table:
    """Rank cases that violate a control over others of the same control, by groups of controls."""
    names = list(scores)
    table = _table(
        "pod specifications: AUROC over pairs of the same control (over all pairs)",
        ("controls", "violate", "ok", "pairs", *names),
    )
    violate = np.array([case.violates for case in cases])
    controls = np.array([case.control for case in cases])
    groups = np.array([("all", case.half, case.group) for case in cases])
    for group in ("all", *podspec.HALVES, *podspec.GROUPS):
        own = (groups == group).any(axis=1)
        cells, pairs = [], 0
        for name in names:
            within, pairs = auroc_within(scores[name][own], violate[own], controls[own].tolist())
            cells.append(f"{_share(within)} ({_share(auroc(scores[name][own], violate[own]))})")
        table.add_row(group, str((own & violate).sum()), str((own & ~violate).sum()), str(pairs), *cells)
    return table


def audit_samples(samples: Sequence[audit.Sample], scores: dict[str, Floats]) -> Table:
    """Rank audit events by service and by technique: of a technique, its malicious events against all benign ones."""
    table = _table("audit samples: AUROC", ("events", "malicious", "benign", *scores))
    malicious = np.array([sample.malicious for sample in samples])
    readable = np.array([sample.record is not None for sample in samples])
    held_out = np.array([sample.held_out for sample in samples])
    parts = {
        "all": np.ones(len(samples), dtype=bool),
        "all that can be read": readable,
        "rules looked at": ~held_out,
        "rules held out": held_out,
    }
    for service in sorted({sample.service for sample in samples}):
        parts[service] = np.array([sample.service == service for sample in samples])
    for technique in sorted({technique for sample in samples for technique in sample.techniques}):
        parts[technique] = np.array([technique in sample.techniques or not sample.malicious for sample in samples])
    for name, own in parts.items():
        cells = [_share(auroc(values[own], malicious[own])) for values in scores.values()]
        if (own & malicious).any():
            table.add_row(name, str((own & malicious).sum()), str((own & ~malicious).sum()), *cells)
    return table


def pod_flows(benign: pods.Judged, attacks: dict[int, pods.Judged]) -> Table:
    """Rank windows of attacks above benign ones: of each workload, and of the cluster as one."""
    table = _table(
        f"pod flows against {len(benign.keys)} benign windows of workloads: AUROC by window of a workload "
        "(by minute of the cluster)",
        ("scenario", "windows", "minutes", *benign.scores),
    )
    minutes = pods.by_minute(benign)
    for label, attack in attacks.items():
        own = pods.by_minute(attack)
        table.add_row(
            pods.SCENARIOS[label], str(len(attack.keys)), str(len(own[OURS])),
            *(
                f"{_share(_between(attack.scores[name], benign.scores[name]))} "
                f"({_share(_between(own[name], minutes[name]))})"
                for name in own
            ),
        )  # fmt: skip
    return table


def _between(hostile: Floats, benign: Floats) -> float:
    return auroc(np.concatenate([hostile, benign]), np.arange(len(hostile) + len(benign)) < len(hostile))
