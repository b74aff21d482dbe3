"""What each part of the detector brings, judged in alerts on simulated estates, beside a default isolation forest.

Each estate has its own names, topology, attacks and times. Seven days are learnt, two are watched. Every row of the
table scores the same windows; only the way from evidence to one number differs. `area` is the mean number caught over
seven rates from 0.1 to 10 false alerts a day and 100 workloads: a single rate of two days hangs on two or three false
alerts. The difference to the first row has the standard error over estates. Random methods are repeated for every
forest seed, and their counts are means.

Run `python -m benchmarks.ablation [--estates 1 2 ...] [--seeds 0 1 2]`. It stands behind
`docs/adr/0015-forests-of-cohorts-and-the-mean-of-two-tails.md`. The method was chosen on these estates, so these are
development figures.
"""

import argparse
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.ablation.estates import Estate, Matrix, estates
from benchmarks.ablation.variants import variants
from service.emulation.scenario import VARIANTS
from service.validation.scored import Scored
from service.validation.trial import Trial, act_of

RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SHOWN = (0.1, 1.0, 10.0)
STRENGTHS = [strength for strength in VARIANTS if strength in {"high", "dampened"}]
Counts = NDArray[np.int64]


def caught(estate: Estate, strength: Matrix) -> Counts:
    """Count the attacks caught, shape (strengths, rates)."""
    trial = Trial(estate.labels, Scored.of_columns(estate.watched.keys, strength), {})
    judge = trial.judge
    curve = judge.curve_until(judge.allowed(max(RATES)))
    thresholds = [curve.at_most(judge.allowed(rate)) for rate in RATES]
    own = [[act_of(attack) for attack in trial.attacks if attack.variant == strength] for strength in STRENGTHS]
    return np.array([[sum(judge.caught(act, bits) for act in acts) for bits in thresholds] for acts in own])


def rows(counts: dict[str, list[list[Counts]]]) -> Table:
    """Tell the sums over estates, means over seeds; `counts` are by name, estate and seed."""
    means = {name: np.array(found).mean(axis=1) for name, found in counts.items()}  # estates, strengths, rates
    areas = {name: found.mean(axis=2).sum(axis=1) for name, found in means.items()}
    chosen = next(iter(areas.values()))
    table = Table(title=f"caught at full strength + dampened, {len(chosen)} estates")
    table.add_column("scored with")
    for column in (*(f"{rate:g} a day" for rate in SHOWN), "area", "difference"):
        table.add_column(column, justify="right")
    for name, found in means.items():
        total = found.sum(axis=0)
        shown = [" + ".join(f"{total[s, RATES.index(rate)]:.0f}" for s in range(len(STRENGTHS))) for rate in SHOWN]
        apart = areas[name] - chosen
        error = float(apart.std(ddof=1)) * len(apart) ** 0.5 if len(apart) > 1 else float("nan")
        table.add_row(name, *shown, f"{areas[name].sum():.1f}", f"{apart.sum():+.1f} ± {error:.1f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--estates", type=int, nargs="+", default=list(range(1, 9)))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workloads", type=int, default=100)
    parser.add_argument("--flows", type=int, default=200_000)
    given = parser.parse_args()
    counts: dict[str, list[list[Counts]]] = defaultdict(list)
    for estate in estates(given.estates, given.workloads, given.flows):
        per_seed: dict[str, list[Counts]] = defaultdict(list)
        for seed in given.seeds:
            for name, strength in variants(estate, seed):
                per_seed[name].append(caught(estate, strength))
        for name, found in per_seed.items():
            counts[name].append(found)
    Console(width=120).print(rows(counts))


if __name__ == "__main__":
    main()
