"""What each part of the detector brings, judged in alerts on simulated estates, beside a default isolation forest.

Each seed is an estate of its own: other names, topology, attacks and times. The detector learns seven days and scores
two. Every row of the table scores the same windows; only the way from evidence to one number differs. The peer is
scikit-learn's `IsolationForest` with its defaults on the raw counts and magnitudes of the same windows.

Run `python benchmarks/channels.py [--seeds 1 2 3]`; well over a minute of CPU a seed. It stands behind
`docs/adr/0010-gamma-poisson-rates-and-a-forest-of-two.md`. The method was adjusted on such estates, so these are
development figures.
"""

import argparse
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.peers.outliers import isolation_forest
from features.evidence import weigh
from features.extraction import closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.windows import floor_window, merge_windows
from models.aggregates import aggregate
from models.calibration import TailCalibration
from models.detector import summed
from models.rolling import rolling_max
from models.training import held_out_evidence, train
from models.trust import Trust
from service.emulation.estate.__main__ import arguments, run
from service.emulation.labels import read_labels
from service.emulation.splits import Purpose
from service.validation.judge import Judge
from service.validation.scored import Scored
from service.validation.trial import act_of, malign

START = datetime(2026, 9, 7, tzinfo=UTC)
UNTIL = START + timedelta(days=7)
BUDGETS = (0.5, 1.0, 2.0, 5.0)


def variants(lake: Lake) -> tuple[pl.DataFrame, dict[str, NDArray[np.float64]]]:
    """Score the watched windows in every way; higher is stranger."""
    detector, _ = train(lake, until=UNTIL)
    learnt = merge_windows(list(extract_days(lake, START, UNTIL)))
    until = closed_until(lake)
    if until is None:
        raise SystemExit("the estate is empty")
    watched = merge_windows(list(extract_days(lake, UNTIL, until)))
    held, seen = held_out_evidence(learnt, floor_window(START), UNTIL), weigh(watched, detector.normal)
    cohorts, here = held.cohorts, seen.keys["cohort"].to_numpy()

    def calibrated(fitted: NDArray[np.float64], scored: NDArray[np.float64]) -> NDArray[np.float64]:
        return TailCalibration.fit(fitted, cohorts).bits(scored, here)

    trust = Trust.measure(held.bits)
    believed, vectors = (aggregate(rolling_max(part.keys, trust.apply(part.bits))[0]) for part in (held, seen))
    forest = detector.channels.forest
    by_forest = calibrated(forest.score(believed), forest.score(vectors))
    by_sum = calibrated(summed(believed), summed(vectors))
    plain, claimed = (aggregate(rolling_max(part.keys, part.bits)[0]) for part in (held, seen))
    single, alone = aggregate(trust.apply(held.bits)), aggregate(trust.apply(seen.bits))
    return seen.keys, {
        "peer: default IsolationForest on raw values": isolation_forest(learnt, watched),
        "strongest evidence alone": calibrated(believed[:, 0], vectors[:, 0]),
        "sum of the two strongest": calibrated(believed.sum(axis=1), vectors.sum(axis=1)),
        "strongest and half the second": by_sum,
        "the same, evidence taken at its word": calibrated(summed(plain), summed(claimed)),
        "the same, each window for itself": calibrated(summed(single), summed(alone)),
        "forest on the two strongest": by_forest,
        "mean of forest and sum": (by_forest + by_sum) / 2,
        "larger of forest and sum (chosen)": np.maximum(by_forest, by_sum),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--workloads", default="84")
    parser.add_argument("--flows", default="400000")
    given = parser.parse_args()
    caught: dict[str, list[list[int]]] = defaultdict(list)
    total = 0
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            where = Path(folder)
            run(
                arguments(
                    ["--out", folder, "--seed", str(seed), "--workloads", given.workloads, "--flows", given.flows]
                )
            )
            attacks = [act_of(attack) for attack in malign(read_labels(where, Purpose.TUNING))]
            lake = Lake(where / "lake")
            for batch in read_events([where / "learn", where / "watch"]):
                lake.append(batch.events)
            keys, scored = variants(lake)
            for name, strength in scored.items():
                judge = Judge(Scored.of_columns(keys, strength), attacks)
                thresholds = [judge.curve.at_most(budget * judge.days) for budget in BUDGETS]
                caught[name].append([sum(judge.caught(attack, bits) for attack in attacks) for bits in thresholds])
            total += len(attacks)
    table = Table(title=f"attacks caught of {total}, seeds {given.seeds}: sum over seeds (each seed)")
    table.add_column("scored with")
    for budget in BUDGETS:
        table.add_column(f"{budget:g} false a day", justify="right")
    for name, per_seed in caught.items():
        columns = list(zip(*per_seed, strict=True))
        table.add_row(name, *(f"{sum(c)} ({' '.join(map(str, c))})" for c in columns))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
