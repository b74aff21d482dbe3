"""Whether the reason named first is what was truly changed: one known change at a time, put into ordinary windows.

A change is made to raw values and items, before evidence: a count or magnitude becomes three times the 99.9 % quantile
of the workload's learnt windows (of the fleet's, where it has fewer than 20), an item is one that nobody has met, of a
key that is known where the feature needs one. Windows are drawn, each once, from those without a severity, of workloads
of a kind that has shown the feature where there are any. Seldom is a real change alone: with a new destination comes a
new edge. Whatever `COMPANIONS` declares is therefore raised with the change; of the two figures one counts the changed
feature alone, the other its companions too. A change that is no reason at all counts as missed in both.

Run `python benchmarks/injection.py [--seeds 1 2 3]`; about a minute a seed.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from features.extraction import closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.protocols import specs
from features.windows import ITEMS_SCHEMA, KEY, WINDOW, Windows, merge_windows
from models.detector import Detector
from models.rolling import SPAN
from models.training import train
from service.emulation.estate.__main__ import arguments, run

START = datetime(2026, 9, 7, tzinfo=UTC)
LEARNT = timedelta(days=7)
TIMES, QUANTILE, ENOUGH = 3.0, 0.999, 20
# Features that one change moves together by nature; declared before the first measurement.
COMPANIONS = {
    "config.new_privilege": ("config.new_setting",),
    "network.external_bytes_out": ("network.bytes_out",),
    "network.fan_out": ("network.connections",),
    "network.failed": ("network.connections",),
    "network.subdomains": ("network.queries",),
    "network.failed_lookups": ("network.queries",),
    "network.new_destination": ("network.new_edge",),
    "network.new_name": ("network.new_destination", "network.new_edge"),
    "control.denied": ("control.requests",),
    "pulls.new_registry": ("pulls.new_repository",),
    "pulls.new_publisher": ("pulls.new_repository",),
}


@dataclass(frozen=True)
class Injection:
    """One change to one window."""

    feature: str
    workload: str
    window_start: datetime


@dataclass(frozen=True)
class Named:
    """Place of the change among the window's reasons, from 0; None where it is no reason."""

    feature: str
    alone: int | None
    with_companions: int | None


def measure(detector: Detector, learnt: Windows, watched: Windows, tries: int, seed: int) -> list[Named]:
    """Change `tries` windows for every feature and see where the change stands among the reasons."""
    random = np.random.default_rng(seed)
    scores = detector.score(watched)
    ordinary = pl.Series([one.severity == "none" for one in scores])
    # so far apart that no change lies in the hour that another is judged with
    apart = pl.col("window_start").dt.epoch("s") % int(SPAN * WINDOW.total_seconds()) == 0
    calm = watched.values.select(KEY).filter(ordinary & apart)
    injections = list(_drawn(calm.join(detector.workloads(), on="workload", how="semi"), learnt, tries, random))
    changed = detector.score(_changed(watched, learnt, injections))
    found = {(one.workload, one.window_start): [r.feature for r in one.reasons] for one in changed}
    return [_named(i.feature, found[i.workload, f"{i.window_start:%Y-%m-%dT%H:%M:%SZ}"]) for i in injections]


def _named(feature: str, reasons: list[str]) -> Named:
    places = [reasons.index(name) for name in (feature, *COMPANIONS.get(feature, ())) if name in reasons]
    return Named(feature, reasons.index(feature) if feature in reasons else None, min(places, default=None))


def judged() -> list[str]:
    """List the features that are to be named: all but those that are judged in place of others, to say less."""
    return [name for name, spec in specs().items() if not spec.instead_of]


def _drawn(calm: pl.DataFrame, learnt: Windows, tries: int, random: np.random.Generator) -> Iterator[Injection]:
    free = calm.select(KEY).rows()
    order = random.permutation(len(free)).tolist()
    for feature in sorted(judged(), key=lambda name: len(_kinds(learnt, name)) or len(free)):
        kinds = _kinds(learnt, feature)
        fit = [place for place in order if not kinds or _kind(free[place][0]) in kinds][:tries]
        order = [place for place in order if place not in set(fit)]
        yield from (Injection(feature, *free[place]) for place in fit)


def _kind(workload: str) -> str:
    return workload.partition(":")[0]


def _kinds(learnt: Windows, feature: str) -> set[str]:
    """Kinds of workload that have shown a feature."""
    if specs()[feature].kind == "items":
        shown = learnt.items.filter(pl.col("feature") == feature)
    elif feature in learnt.values.columns:
        shown = learnt.values.filter(pl.col(feature) > 0)
    else:
        return set()
    return {_kind(workload) for workload in shown["workload"].unique()}


def _changed(watched: Windows, learnt: Windows, injections: Iterable[Injection]) -> Windows:
    values = {name: dict[tuple[str, datetime], float]() for name in specs()}
    items = []
    for number, one in enumerate(injections):
        for feature in (one.feature, *COMPANIONS.get(one.feature, ())):
            if specs()[feature].kind == "items":
                items.append((one.workload, one.window_start, feature, _item(learnt, feature, number), 1))
            else:
                values[feature][one.workload, one.window_start] = _volume(learnt, feature, one.workload)
    keys = watched.values.select(KEY).rows()
    raised = [
        pl.Series(name, [new.get(key, old) for key, old in zip(keys, _column(watched, name), strict=True)], pl.Float64)
        for name, new in values.items()
        if new
    ]
    met = pl.concat([watched.items, pl.DataFrame(items, ITEMS_SCHEMA, orient="row")])
    return Windows(watched.values.with_columns(raised), met.sort(*KEY, "feature", "item"), watched.facts)


def _column(windows: Windows, name: str) -> list[float | None]:
    return windows.values[name].to_list() if name in windows.values.columns else [None] * len(windows.values)


def _volume(learnt: Windows, feature: str, workload: str) -> float:
    if feature not in learnt.values.columns:
        return TIMES
    active = learnt.values.filter(pl.col(feature) > 0)
    own = active.filter(pl.col("workload") == workload)[feature]
    usual = (own if len(own) >= ENOUGH else active[feature]).quantile(QUANTILE)
    return TIMES * (usual or 1.0)


def _item(learnt: Windows, feature: str, number: int) -> str:
    if not specs()[feature].keyed:
        return f"injected-{number}.example"
    known = learnt.items.filter(pl.col("feature") == feature)["item"]
    return f"{known[number % len(known)].split(' ')[0] if len(known) else 'tag'} sha256:{number:012x}"


def estate(seed: int, workloads: str, flows: str) -> tuple[Detector, Windows, Windows]:
    """Simulate an estate, train on its first days, and give what was learnt and what is watched."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        run(arguments(["--out", folder, "--seed", str(seed), "--workloads", workloads, "--flows", flows]))
        lake = Lake(where / "lake")
        for batch in read_events([where / "learn", where / "watch"]):
            lake.append(batch.events)
        until, closed = START + LEARNT, closed_until(lake)
        if closed is None:
            raise SystemExit("the estate is empty")
        detector, _ = train(lake, until=until)
        learnt, watched = (merge_windows(list(extract_days(lake, *span))) for span in ((START, until), (until, closed)))
        return detector, learnt, watched


def report(named: list[Named]) -> Table:
    table = Table(title=f"{len(named)} changes: share named first, and among the first three (with companions)")
    for column in ("feature", "changes", "first", "in three", "first", "in three"):
        table.add_column(column, justify="left" if column == "feature" else "right")
    groups: dict[str, list[Named]] = defaultdict(list)
    for one in named:
        groups[one.feature].append(one)
    for feature, own in {**dict(sorted(groups.items())), "all": named}.items():
        ranks = [[one.alone for one in own], [one.with_companions for one in own]]
        table.add_row(feature, str(len(own)), *(f"{share(r, most):.0%}" for r in ranks for most in (1, 3)))
    return table


def share(ranks: list[int | None], most: int) -> float:
    """Share of ranks among the first `most`."""
    return sum(rank is not None and rank < most for rank in ranks) / max(len(ranks), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--tries", type=int, default=20, help="changes for each feature and seed")
    parser.add_argument("--workloads", default="84")
    parser.add_argument("--flows", default="400000")
    given = parser.parse_args()
    named = []
    for seed in given.seeds:
        named += measure(*estate(seed, given.workloads, given.flows), given.tries, seed)
    Console(width=120).print(report(named))


if __name__ == "__main__":
    main()
