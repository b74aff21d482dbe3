"""What a validation found, as records that become JSON, a terminal's tables and a page alike.

Three counts stand side by side wherever something is `caught` or costs alerts: at each of `RATES` false alerts a day
and 100 scored workloads. Bits are rounded, so that the same estates give the same bytes.
"""

import msgspec

RATES = (0.1, 1.0, 10.0)
ONE = RATES.index(1.0)

Counts = tuple[int, int, int]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one scenario played once.

    Parameters
    ----------
    estate, id
        Which of the estates, and which attack in its labels.
    chain, benign
        As the labels say: a part of a chain is told apart from what was played for itself.
    bits
        Of its strongest window; 0 without one.
    caught
        Whether it is, at each rate.
    delay
        Minutes from its begin to the end of the first window over the threshold of one a day; none if missed.
    rank
        Place of its strongest window among all alerts.
    reason
        Place of the first expected feature among that window's reasons; 0 if it is not there.
    why
        Sentence of the window's strongest reason.
    above
        Bits by which it stands above its labelled lookalikes, at the median; none without any.
    above_share
        Share of these acts that it stands above.
    """

    estate: int
    id: str
    scenario: str
    variant: str
    workload: str
    start: str
    chain: str = ""
    benign: bool = False
    bits: float
    windows: int
    caught: tuple[bool, bool, bool]
    delay: float | None
    rank: int
    reason: int
    why: str
    above: float | None = None
    above_share: float | None = None


class ScenarioRow(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario in one variant, over all estates; medians over its runs, of the delay over those that were caught."""

    scenario: str
    name: str
    variant: str
    techniques: tuple[str, ...]
    blind: str
    runs: int
    caught: Counts
    bits: float
    delay: float | None
    rank: float
    reasons: tuple[int, ...]
    above: float | None
    above_share: float | None
    why: str


class LookalikeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of benign act that resembles attacks: what it scores (least, quartiles, strongest), what it costs."""

    kind: str
    name: str
    acts: int
    spread: tuple[float, float, float, float, float]
    alerts: Counts
    why: str


class ChainRow(msgspec.Struct, frozen=True, kw_only=True):
    """A chain against its parts.

    Parameters
    ----------
    rank, bits
        Of its strongest window.
    stages, fired
        Parts that were played, and how many of them are caught at each rate.
    best, joined
        Bits of its strongest part, and of the strongest windows of all its parts together.
    best_place, joined_place
        Place of either among what untouched workloads show: their strongest hour, and the sum of as many hours.
    incident
        Place among all incidents, of those that hold one of its windows; 0 if none does.
    incidents
        How many incidents it falls into.
    """

    estate: int
    id: str
    scenario: str
    name: str
    variant: str
    benign: bool
    bits: float
    rank: int
    stages: int
    fired: Counts
    best: float
    joined: float
    best_place: int
    joined_place: int
    incident: int
    incidents: int
    low: bool


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """False alerts of one cohort."""

    cohort: str
    alerts: int


class RateRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a severity promised and what it cost: false alerts a day for the fleet, and on untouched workloads alone."""

    severity: str
    promised: float
    realised: float
    ratio: float
    untouched: float
    cohorts: tuple[Share, ...]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the curve: false alerts a day and 100 workloads, and the share caught of either kind of variant."""

    rate: float
    full: float
    dampened: float


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """The same estate through worse sensors: the threshold of one a day, what is still caught, and what is lost."""

    name: str
    meaning: str
    windows: int
    threshold: float | None
    caught: int
    full: int
    lost: tuple[str, ...]
    gained: tuple[str, ...] = ()
    failed: str = ""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of a sweep: `caught` at one a day, or none and `note` says why it was not played."""

    row: str
    column: str
    caught: bool | None
    bits: float | None = None
    note: str = ""


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """A matrix over two parameters."""

    name: str
    meaning: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of the verdict: what was asked and what was found."""

    name: str
    passed: bool
    found: str
    wanted: str


class Strange(msgspec.Struct, frozen=True, kw_only=True):
    """A false alert worth a look; `acts` names the benign acts on its workload at that time."""

    estate: int
    workload: str
    start: str
    bits: float
    acts: tuple[str, ...]
    why: str


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: estates of a split, their size, and the alert budget."""

    split: str
    seeds: tuple[int, ...]
    workloads: int
    days: int
    learn_days: int
    flows: int
    budget: float


class EstateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One estate as it turned out; thresholds in bits at each rate, infinite ones left out."""

    seed: int
    windows: int
    workloads: int
    days: float
    attacks: int
    lookalikes: int
    thresholds: tuple[float | None, float | None, float | None]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a validation found."""

    setting: Setting
    passed: bool
    gates: tuple[Gate, ...]
    estates: tuple[EstateRow, ...]
    curve: tuple[Point, ...]
    scenarios: tuple[ScenarioRow, ...]
    outcomes: tuple[Outcome, ...]
    chains: tuple[ChainRow, ...]
    lookalikes: tuple[LookalikeRow, ...]
    false: tuple[Strange, ...]
    rates: tuple[RateRow, ...]
    conditions: tuple[Condition, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    unplayed: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Write the report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def rounded(value: float) -> float:
    """Round bits, shares and minutes as reports state them."""
    return round(float(value), 2)
