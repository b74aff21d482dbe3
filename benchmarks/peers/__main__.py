"""Catch the same attacks with Wharfinger and with its peers: `python -m benchmarks.peers [--split test] [--seeds 1 2]`.

Each seed is an estate of its own: 100 workloads, seven days to learn from and two to watch, with every scenario of the
library in its full or its dampened strength by turns. All rows of the table score the same windows and are judged by
the same labels, in alerts. A rate is false alerts a day per 100 workloads.
"""

import argparse
import tempfile
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.peers import beacon, first_seen, outliers, static_rules
from features.extraction import closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.windows import Windows, merge_windows
from models.training import train
from service.emulation.estate.__main__ import run
from service.emulation.estate.world import Options
from service.emulation.labels import Attack, read_labels
from service.emulation.splits import Purpose, Split
from service.validation.judge import Judge
from service.validation.scored import Scored
from service.validation.trial import act_of, malign

RATES = (0.1, 1.0, 10.0)
START = datetime.fromisoformat("2026-09-07T00:00:00Z").timestamp()


def windows(lake: Lake, watch: datetime) -> tuple[Windows, Windows]:
    """Extract what is learnt from and what is watched."""
    until, span = closed_until(lake), lake.span()
    if until is None or span is None:
        raise SystemExit("the estate is empty")
    return (
        merge_windows(list(extract_days(lake, span[0], watch))),
        merge_windows(list(extract_days(lake, watch, until))),
    )


def scored_by_everyone(lake: Lake, watch: datetime) -> tuple[Scored, dict[str, NDArray[np.float64]]]:
    """Score the watched windows in every way; the columns of `Scored` and the scores are in the same order."""
    learnt, watched = windows(lake, watch)
    detector, _ = train(lake, until=watch)
    own = detector.score(watched, watch)
    columns = Scored.of(own)
    # `Scored` sorts by name without case: bring the peers' numbers into the same order.
    keys = watched.values.select("workload", "window_start").with_row_index("row")
    order = keys.sort(pl.col("workload").str.to_lowercase(), "window_start", maintain_order=True)["row"].to_numpy()
    peers = {"scikit-learn IsolationForest": outliers.isolation_forest(learnt, watched)}
    peers |= dict(outliers.pyod(learnt, watched))
    peers["beacon score, RITA's form"] = beacon.scores(lake, watched, watch)
    peers["first seen, StackRox's and NeuVector's manner"] = first_seen.violations(learnt, watched)
    peers["fixed rules, Falco's manner"] = static_rules.priorities(watched)
    return columns, {"Wharfinger": columns.bits} | {name: numbers[order] for name, numbers in peers.items()}


def shares(columns: Scored, numbers: NDArray[np.float64], attacks: list[Attack], told: list[Attack]) -> list[float]:
    """Give the share of `told` that is caught at each rate, where alerts may be true of any of `attacks`."""
    judge = Judge(columns.with_bits(numbers), [act_of(attack) for attack in attacks])
    found = []
    for rate in RATES:
        threshold = judge.curve_until(judge.allowed(rate)).at_most(judge.allowed(rate))
        found.append(float(np.mean([judge.caught(act_of(attack), threshold) for attack in told])))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", type=Split, default=Split.TEST)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--workloads", type=int, default=100)
    parser.add_argument("--flows", type=int, default=300_000)
    given = parser.parse_args()
    found: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    counts: dict[str, int] = defaultdict(int)
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            where = Path(folder)
            run(Options(where, START, 9, 7, given.workloads, given.flows, seed, split=given.split))
            lake = Lake(where / "lake")
            for batch in read_events([where / "learn", where / "watch"]):
                lake.append(batch.events)
            labels = read_labels(where, Purpose.REPORT)
            columns, everyone = scored_by_everyone(lake, datetime.fromisoformat(labels.watch))
            attacks = malign(labels)
            for variant in ("high", "dampened"):
                told = [attack for attack in attacks if attack.variant == variant and not attack.chain]
                counts[variant] += len(told)
                for name, numbers in everyone.items():
                    found[variant][name].append(shares(columns, numbers, attacks, told))
    for variant, by_name in found.items():
        table = Table(
            title=f"{variant}: share of {counts[variant]} attacks caught, {given.split} split, seeds {given.seeds}"
        )
        table.add_column("scored by")
        for rate in RATES:
            table.add_column(f"{rate:g} a day", justify="right")
        for name, per_seed in by_name.items():
            cells = [f"{np.mean(c):.0%} ({' '.join(f'{v:.0%}' for v in c)})" for c in zip(*per_seed, strict=True)]
            table.add_row(name, *cells)
        Console(width=130).print(table)


if __name__ == "__main__":
    main()
