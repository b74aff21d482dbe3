"""When things happen: the day and the week, moods of a project, who is up, what repeats."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from zlib import crc32

import numpy as np

from service.emulation.estate.engine import Lease
from service.emulation.estate.ids import Objects
from service.emulation.estate.sink import DAY
from service.emulation.estate.world import HOUR, Service, World

_BIN = 600.0


class Occupancy:
    """Who of a workload's replicas is up at each moment of a span."""

    def __init__(self, leases: list[Lease], low: float, high: float) -> None:
        alive = [lease for lease in leases if lease.start < high and lease.end > low]
        cuts = {low} | {edge for lease in alive for edge in (lease.start, lease.end) if low < edge < high}
        self.cuts = np.array(sorted(cuts))
        rows = [[lease.address for lease in alive if lease.start <= cut < lease.end] for cut in self.cuts]
        self.count = np.array([len(row) for row in rows])
        width = max(1, *(len(row) for row in rows))
        self.table = np.array([row + [""] * (width - len(row)) for row in rows], dtype=object)

    def pick(self, ts: np.ndarray, rng: np.random.Generator) -> Objects:
        """Choose a replica for each time; an empty address where none was up."""
        segment = np.searchsorted(self.cuts, ts, side="right") - 1
        index = (rng.random(len(ts)) * self.count[segment]).astype(np.int64)
        chosen: Objects = self.table[segment, index]
        return chosen


def rhythm(ts: np.ndarray, peak_hour: float = 14.0, night: float = 0.2, weekend: float = 0.55) -> np.ndarray:
    """Return the share of the busiest rate: a day with a night, a week with a week-end."""
    hour = (ts % DAY) / HOUR
    day_curve = night + (1 - night) * np.exp(3.0 * (np.cos((hour - peak_hour) * math.tau / 24) - 1) / 2)
    weekday = (ts // DAY).astype(np.int64) + 3
    return day_curve * np.where(weekday % 7 >= 5, weekend, 1.0)


@dataclass
class Day:
    """What is shared by all traffic of a day, or of a part of one."""

    world: World
    low: float
    high: float
    moods: dict[str, np.ndarray]
    occupancy: dict[int, Occupancy] = field(default_factory=dict)

    def of(self, service: Service) -> Occupancy:
        return self.occupancy.setdefault(id(service), Occupancy(service.leases, self.low, self.high))

    def mood(self, project: str) -> np.ndarray:
        """Return a factor for each ten minutes, shared by the edges of a project, now and then with a rush."""
        if project not in self.moods:
            rng, bins = self.world.rng, int(DAY / _BIN)
            walk = np.zeros(bins)
            for i in range(1, bins):
                walk[i] = 0.9 * walk[i - 1] + rng.normal(0, 0.1)
            if rng.random() < 0.15:
                at = int(rng.integers(40, 130))
                walk[at : at + int(rng.integers(3, 9))] += rng.uniform(0.5, 1.3)
            self.moods[project] = np.exp(walk)
        first = round(self.low % DAY / _BIN)
        return self.moods[project][first : first + len(self.bins)]

    @cached_property
    def bins(self) -> np.ndarray:
        """Return when each of the ten minutes begins."""
        return self.low + np.arange(round((self.high - self.low) / _BIN)) * _BIN


def times(day: Day, rate: float, project: str, *, flat: float = 0.0, spread: float = 0.3) -> np.ndarray:
    """Draw times of a day at `rate` an hour at the peak; `flat` is the share that knows no rhythm."""
    rng = day.world.rng
    starts = day.bins
    wave = flat + (1 - flat) * rhythm(starts, peak_hour=day.world.layout.peak - 3 + len(project) % 6)
    mean = rate * _BIN / HOUR * wave * day.mood(project) * rng.gamma(1 / spread**2, spread**2, len(starts))
    counts = rng.poisson(mean)
    return np.sort(np.repeat(starts, counts) + rng.uniform(0, _BIN, counts.sum()))


def periodic(
    lease: Lease, low: float, high: float, period: float, rng: np.random.Generator, jitter: float
) -> np.ndarray:
    begin, end = max(low, lease.start + 5), min(high, lease.end)
    if end <= begin:
        return np.empty(0)
    phase = (crc32(lease.address.encode()) % 1000) / 1000 * period
    ts = np.arange(begin - begin % period + phase, end, period)
    ts = ts[ts >= begin]
    return ts + rng.uniform(-jitter, jitter, len(ts)) * period
