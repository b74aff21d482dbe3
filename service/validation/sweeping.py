"""Plays the catalogue's sweeps in one more estate, each cell on a victim of its own, and puts them into matrices."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.emulation.estate.campaign import labels
from service.emulation.estate.cast import Cast
from service.emulation.estate.play import play
from service.emulation.estate.world import Options, World
from service.emulation.scenario import Scalar, Variant
from service.emulation.sweeps import Cell, fitting, sweeps
from service.validation.report import ONE, RATES, Sweep, rounded
from service.validation.report import Cell as Told
from service.validation.trial import Trial, act_of

VARIANT: Variant = "middle"
WORKLOADS = 140  # enough services for each cell to have one
_HOUR, _DAY = 3600.0, 86_400.0
_EARLIEST, _LATEST = 2400.0, 900.0  # seconds after the watch begins, and before it ends
UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))
MEANINGS = {
    "beacon": "a check-in over TLS to a name like a vendor's; rows: period, columns: jitter and number of check-ins",
    "exfiltration": "six hours of uploads to a bucket of a similar name",
    "dns": "a tunnel in DNS questions",
    "pull to run": "an image of an unknown registry, run some time after it was pulled",
    "replicas": "how many replicas come back with weaker settings",
    "time of day": "ten commands in ten seconds",
}


@dataclass
class Sweeping:
    """Cells that are played in an estate, and what became of them; `prepare` puts them into its queue."""

    options: Options
    cells: Sequence[Cell] = field(default_factory=sweeps)
    played: list[tuple[Cell, Cast]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def prepare(self, world: World) -> None:
        """Put every cell that the watched days can hold into the queue."""
        low, high = self.options.watch + _EARLIEST, self.options.end - _LATEST
        played, left = fitting(self.cells, high - low)
        self.left_out |= {cell.name: "not played: longer than the watched days" for cell in left}
        for cell in played:
            world.at(self._moment(world, cell, low, high - cell.seconds), self._begin, cell)

    def _moment(self, world: World, cell: Cell, low: float, high: float) -> float:
        """Choose when a cell begins: within its hours of the day, early enough to end."""
        first, last = cell.hours
        day = self.options.start + (low - self.options.start) // _DAY * _DAY
        spans = []
        while day < high:
            begin, end = max(low, day + first * _HOUR), min(high, day + last * _HOUR)
            spans += [(begin, end)] if begin < end else []
            day += _DAY
        begin, end = world.pick(spans) if spans else (low, high)
        return float(world.rng.uniform(begin, end))

    def _begin(self, world: World, now: float, cell: Cell) -> None:
        try:
            cast = play(world, now, cell.scenario, VARIANT)
        except LookupError as error:
            self.left_out[cell.name] = f"not played: {error.args[0]}"
            return
        if any(cast.victim is not None and cast.victim is other.victim for _, other in self.played):
            self.left_out[cell.name] = "not played alone: its victim suffers another cell"
        self.played.append((cell, cast))
        world.ledger.casts.append(cast)

    def matrices(self, world: World, trial: Trial) -> list[Sweep]:
        """Judge every cell, and put those of a sweep side by side."""
        ids = {}
        for number, cast in enumerate(sorted(world.ledger.casts, key=lambda cast: cast.begin), 1):
            ids[id(cast)] = cast.label(number).id
        attacks = {attack.id: attack for attack in labels(world).attacks}
        threshold = trial.judge.threshold(RATES[ONE])
        told: dict[str, tuple[bool, float]] = {}
        for cell, cast in self.played:
            row = trial.judge.strongest(act_of(attacks[ids[id(cast)]]))
            bits = 0.0 if row is None else float(trial.scored.bits[row])
            told[cell.name] = (row is not None and bits >= threshold, rounded(bits))
        return matrices(self.cells, told, self.left_out)


def matrices(cells: Iterable[Cell], told: Mapping[str, tuple[bool, float]], notes: Mapping[str, str]) -> list[Sweep]:
    """Make a matrix of each sweep: its first axis down where it has several, the rest across."""
    own: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        own[cell.sweep].append(cell)
    found = []
    for name, members in own.items():
        places = [_place(cell.axes) for cell in members]
        axes = ", ".join(axis for axis, _ in members[0].axes)
        found.append(
            Sweep(
                name=f"{name} ({axes})",
                meaning=MEANINGS.get(name, ""),
                rows=tuple(dict.fromkeys(row for row, _ in places)),
                columns=tuple(dict.fromkeys(column for _, column in places)),
                cells=tuple(
                    Told(
                        row=row,
                        column=column,
                        caught=told[cell.name][0] if cell.name in told else None,
                        bits=told[cell.name][1] if cell.name in told else None,
                        note=notes.get(cell.name, ""),
                    )
                    for cell, (row, column) in zip(members, places, strict=True)
                ),
            )
        )
    return found


def _place(axes: Sequence[tuple[str, Scalar]]) -> tuple[str, str]:
    values = [_written(axis, value) for axis, value in axes]
    return (values[0], ", ".join(values[1:])) if len(values) > 1 else ("", values[0])


def _written(axis: str, value: Scalar) -> str:
    if axis == "period" and isinstance(value, float):
        size, unit = next((size, unit) for size, unit in UNITS if value >= size)
        return f"{value / size:g} {unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)
