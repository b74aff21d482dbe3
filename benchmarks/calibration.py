"""Whether a budget of alerts is kept on unseen benign days: thirty of them, after seven to learn from.

Nothing malign is played, so every alert is false. For each severity the rate promised stands beside the one counted, on
the whole and in each of five stretches of six days, for a model that is not trained again. Then the same with attacks
left among the windows that are learnt: 1 % of them, in runs of ten, claim 25 bits more of one feature.

A cohort that draws more than four times its share of alerts is named; its share is its part of all windows. One that
draws fewer than five alerts shows nothing and is left out.

Run `python benchmarks/calibration.py [--split validation] [--seeds 1 2]`, a minute or two a seed. The method was
adjusted on the development split (the default); what is reported is of the validation split.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from features.baselines import learn
from features.evidence import Evidence, Normal, weigh
from features.extraction import closed_until, extract_days
from features.lake import Lake
from features.windows import merge_windows
from models.scores import Severity
from models.training import HeldOut, fit_channels, held_out_evidence, unseen_strength
from models.training_report import RATES, count_runs
from service.emulation.estate.__main__ import run
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.world import Options
from service.emulation.splits import Purpose, Split, admit
from service.jobs.validate import START, ingested

LEARNT, WATCHED, STRETCH = 7, 30, 6  # days
ATTACKED, RUN, CLAIMED = 0.01, 10, 25.0  # share of windows, windows side by side, bits
SHOWN: tuple[Severity, ...] = ("high", "medium", "low")
MOST_SHARE = 4.0
TELLING = 5  # alerts


@dataclass(frozen=True, eq=False)
class Estate:
    """An estate in which nothing malign happens, as evidence."""

    held_out: HeldOut
    watched: Evidence


def read(lake: Lake) -> Estate:
    """Learn the first days, and weigh the others."""
    start, until = datetime.fromisoformat(START), closed_until(lake)
    if until is None:
        raise SystemExit("the estate is empty")
    watch = start + timedelta(days=LEARNT)
    learnt = merge_windows(list(extract_days(lake, start, watch)))
    watched = merge_windows(list(extract_days(lake, watch, until)))
    normal = Normal.of(learn(learnt, start, watch))
    return Estate(held_out_evidence(learnt, start, watch), weigh(watched, normal))


def attacked(held_out: HeldOut, seed: int) -> HeldOut:
    """Let runs of windows side by side claim much more of one feature."""
    random, bits = np.random.default_rng(seed), held_out.bits.copy()
    order = held_out.keys.with_row_index().sort("workload", "window_start")["index"].to_numpy()
    for first in random.integers(0, len(order) - RUN, int(ATTACKED * len(order) / RUN)):
        bits[order[first : first + RUN], random.integers(bits.shape[1])] += CLAIMED
    return replace(held_out, bits=bits)


def reached(estate: Estate, held_out: HeldOut, budget: float, seed: int) -> dict[Severity, NDArray[np.bool_]]:
    """Tell which watched windows reach each severity, with what is learnt of held-out ones."""
    channels = fit_channels(held_out, unseen_strength(held_out, seed), budget, seed)
    bits = channels.bits(estate.watched)
    return {name: bits >= channels.thresholds[name] for name in SHOWN}


def stretches(keys: pl.DataFrame) -> Iterator[NDArray[np.bool_]]:
    day = (keys["window_start"] - keys["window_start"].min()).dt.total_days().to_numpy()
    return ((day >= first) & (day < first + STRETCH) for first in range(0, WATCHED, STRETCH))


def loud(keys: pl.DataFrame, strange: NDArray[np.bool_]) -> str:
    """Name the cohorts that draw more than their share of alerts, with the multiple of it and their alerts."""
    windows = dict(keys.group_by("cohort").len().iter_rows())
    alerts = {
        cohort: count_runs(own) for (cohort,), own in keys.filter(pl.Series(strange)).group_by("cohort") if len(own)
    }
    total = sum(alerts.values())
    told = []
    for cohort, count in sorted(alerts.items(), key=lambda item: -item[1]):
        share = windows[cohort] / len(keys)
        if count >= TELLING and count > MOST_SHARE * share * total:
            told.append(f"{cohort} {count / total / share:.1f}x ({count})")
    return ", ".join(told) or "none"


def rows(estate: Estate, held_out: HeldOut, budget: float, seed: int) -> Iterator[tuple[str, ...]]:
    keys = estate.watched.keys
    for name, strange in reached(estate, held_out, budget, seed).items():
        promised = budget * RATES[name]
        rate = count_runs(keys.filter(pl.Series(strange))) / WATCHED
        parts = (count_runs(keys.filter(pl.Series(strange & own))) / STRETCH for own in stretches(keys))
        yield (
            name, f"{promised:g}", f"{rate:.2f}", f"{rate / promised:.2f}",
            " ".join(f"{part / promised:.2f}" for part in parts), loud(keys, strange),
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.DEVELOPMENT)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--workloads", type=int, default=60)
    parser.add_argument("--flows", type=int, default=450_000)
    parser.add_argument("--budget", type=float, default=1.0)
    parser.add_argument("--keep", type=Path, help="folder of the estates' telemetry; one that is there is used again")
    given = parser.parse_args()
    admit(given.split, Purpose.TUNING)
    table = Table(title=f"false alerts a day, {WATCHED} unseen benign days, {given.split} split")
    for column in ("estate", "learnt", "severity", "promised", "counted", "ratio", "by six days", "above four times"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder:
        for seed in given.seeds:
            out = (given.keep or Path(folder)) / f"{given.split}-{seed}"
            if not (out / "lake").is_dir():
                run(
                    Options(
                        out, parse_iso(START), LEARNT + WATCHED, LEARNT, given.workloads, given.flows, seed,
                        split=given.split, variants=(),
                    )
                )  # fmt: skip
                ingested(out, lambda _step, _share: None)
            estate = read(Lake(out / "lake"))
            for learnt, held_out in (("clean", estate.held_out), ("1 % attacks", attacked(estate.held_out, seed))):
                for row in rows(estate, held_out, given.budget, seed):
                    table.add_row(str(seed), learnt, *row)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
