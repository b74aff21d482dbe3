"""Ground truth of an emulation: what was done to whom and when, and the benign acts that look like it."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from service.emulation.scenario import Variant
from service.emulation.splits import Purpose, Split, admit


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario played once.

    Parameters
    ----------
    id
        Unique within an estate.
    scenario, variant, techniques, families, reasons, lookalikes
        As the scenario declares them.
    workload, workloads
        Who shows it first, and everyone who shows it: an alert on any of them finds it.
    start, end
        ISO times in UTC.
    chain
        Id of the chain's own entry, for a part of a chain.
    benign
        Whether it must stay low (a benign chain).
    note
        What was done, in words.
    """

    id: str
    scenario: str
    variant: Variant
    techniques: tuple[str, ...]
    workload: str
    workloads: tuple[str, ...]
    start: str
    end: str
    families: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    lookalikes: tuple[str, ...] = ()
    chain: str = ""
    benign: bool = False
    host: str = ""
    note: str = ""


class Lookalike(msgspec.Struct, frozen=True, kw_only=True):
    """A benign act that resembles an attack: `kind` B1 to B23, `act` what the simulator calls it."""

    kind: str
    act: str
    workload: str
    start: str
    end: str


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of an emulated estate, `labels.json` beside its telemetry."""

    split: Split
    seed: int
    start: str
    watch: str
    end: str
    workloads: int
    attacks: tuple[Attack, ...]
    lookalikes: tuple[Lookalike, ...]

    @classmethod
    def of(
        cls,
        attacks: Iterable[Attack],
        lookalikes: Iterable[Lookalike],
        *,
        split: Split,
        seed: int,
        span: tuple[str, str, str],
        workloads: int,
    ) -> "Labels":
        """Sort what happened by time; `span` is where the estate starts, where attacks begin, and where it ends."""
        start, watch, end = span
        return cls(
            split=split,
            seed=seed,
            start=start,
            watch=watch,
            end=end,
            workloads=workloads,
            attacks=tuple(sorted(attacks, key=lambda attack: (attack.start, attack.id))),
            lookalikes=tuple(sorted(lookalikes, key=lambda act: (act.start, act.kind, act.workload))),
        )

    def write(self, folder: Path) -> None:
        """Write `labels.json` into a folder."""
        (folder / "labels.json").write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))


def read_labels(folder: Path, purpose: Purpose) -> Labels:
    """Read the labels of an estate for a purpose.

    Raises
    ------
    SplitError
        If a choice of method would see the test split.
    """
    labels = msgspec.json.decode((folder / "labels.json").read_bytes(), type=Labels)
    admit(labels.split, purpose)
    return labels
