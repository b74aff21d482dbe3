"""How a rehearsal on an operator's own telemetry looks in the terminal."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rich.text import Text

from models.scores import SEVERITIES
from service.cli import terminal
from service.validation.plots import FAMILIES
from service.validation.rehearsal import Rehearsal, Rehearsed

COLUMNS = ("id", "scenario", "variant", "victim", "severity", "bits", "quiet", "delay", "first reason")
HIGH = SEVERITIES.index("high")


def show(report: Rehearsal) -> None:
    """Write a report: who, by family what each scenario reached, what was not played, and the sums last."""
    terminal.heading(f"Rehearsal with model {report.model}")
    terminal.say(
        f"played into {terminal.moment(report.since)} to {terminal.moment(report.until)} UTC of this home's lake, "
        f"where {report.workloads} workloads ran"
    )
    for note in _notes(report):
        terminal.say(note)
    for letter, family in FAMILIES.items():
        if own := [row for row in report.scenarios if row.scenario.startswith(letter)]:
            _family(family, own)
    _unplayed(report.unplayed)
    _sums(report.scenarios)


def _notes(report: Rehearsal) -> Iterable[str]:
    if report.alerts:
        yield (
            f"{report.alerts} real alerts of severity high or above lie in this span (wharfinger incidents); "
            "a scenario that one of them hides is played elsewhere"
        )
    if report.learnt:
        yield "the model has learnt from a part of this span, so it is quieter there than on a day it does not know"
    if report.unseen:
        yield f"left out, for this lake has none of it: {', '.join(report.unseen)}"


def _family(family: str, own: Sequence[Rehearsed]) -> None:
    alarming = sum(SEVERITIES.index(row.severity) >= HIGH for row in own)
    terminal.heading(f"\n{family}: {alarming} of {len(own)} reach high")
    rows: list[Sequence[str | Text]] = [
        (
            row.scenario,
            row.name,
            Text(row.variant, style="dim" if row.variant == "dampened" else ""),
            row.workload,
            terminal.severity(row.severity),
            f"{row.bits:.1f}" if row.bits else "-",
            f"{row.quiet_bits:.1f}" if row.quiet_bits else "-",
            "" if row.delay is None else f"{row.delay:.0f} min",
            # what is known beside it stands in the file
            Text(row.why.partition(" (")[0] or "-", style="dim"),
        )
        for row in own
    ]
    terminal.table(COLUMNS, rows, right=("bits", "quiet", "delay"), below=True)


def _unplayed(unplayed: Sequence[str]) -> None:
    if not unplayed:
        return
    reasons: dict[str, list[str]] = defaultdict(list)
    for told in unplayed:
        which, _, why = told.partition(": ")
        reasons[why].append(which)
    terminal.heading(f"\nNot played ({len(unplayed)})")
    for why, scenarios in reasons.items():
        terminal.say(f"  {why}: {', '.join(scenarios)}")


def _sums(scenarios: Sequence[Rehearsed]) -> None:
    terminal.heading("\nHow far the scenarios get")
    rows = []
    for variant in dict.fromkeys(row.variant for row in scenarios):
        own = [SEVERITIES.index(row.severity) for row in scenarios if row.variant == variant]
        reached = [sum(severity >= least for severity in own) for least in range(1, len(SEVERITIES))]
        rows.append((variant, str(len(own)), *(f"{count} ({count / len(own):.0%})" for count in reversed(reached))))
    numbers = ("played", *(f"{name} or more" for name in reversed(SEVERITIES[1:])))
    terminal.table(("variant", *numbers), rows, right=numbers)
    if silent := [f"{row.scenario} {row.variant}" for row in scenarios if row.severity == "none"]:
        terminal.say(f"no severity at all: {', '.join(silent)}")
    terminal.say(
        "bits: of the strongest window that the scenario made; quiet: of the strongest that its workload had without; "
        "delay: from its begin to the end of its first window of severity high"
    )
