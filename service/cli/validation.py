"""How a validation looks in the terminal: the verdict first, then what stands behind it."""

from collections.abc import Sequence

from rich.text import Text

from service.cli import terminal
from service.validation.outcomes import FULL
from service.validation.page import grouped, matrix, missed
from service.validation.report import ONE, RATES, Counts, Report, ScenarioRow, Sweep

FALSE_SHOWN = 10
BAR = 16
_AT = tuple(f"{rate:g}" for rate in RATES)


def show(report: Report) -> None:
    """Write a report."""
    _verdict(report)
    _scenarios(report)
    _missed(report)
    _chains(report)
    _lookalikes(report)
    _calibration(report)
    _conditions(report)
    for sweep in report.sweeps:
        _sweep(sweep)
    if report.unplayed:
        terminal.heading(f"\nNot played ({len(report.unplayed)})")
        for reason in report.unplayed:
            terminal.say(f"  {reason}")


def _verdict(report: Report) -> None:
    setting = report.setting
    word = Text("PASSED", style="bold green") if report.passed else Text("FAILED", style="bold red")
    attacks, watched = sum(e.attacks for e in report.estates), sum(e.days for e in report.estates)
    terminal.show(
        Text("Validation ", style="bold")
        + word
        + Text(
            f"   {setting.split} split, {len(report.estates)} estates of about {setting.workloads} workloads, "
            f"{attacks} attacks in {watched:.0f} watched days"
        )
    )
    rows = [
        (_passes("passes" if gate.passed else "FAILS", good=gate.passed), gate.name, gate.found, gate.wanted)
        for gate in report.gates
    ]
    terminal.table(("", "condition", "found", "wanted"), rows)


def _passes(word: str, *, good: bool) -> Text:
    return Text(word, style="green" if good else "red")


def _ticks(row: ScenarioRow) -> list[Text]:
    marks = []
    for count in row.caught:
        if count == row.runs:
            marks.append(Text("✓", style="green"))
        elif count:
            marks.append(Text(f"{count}/{row.runs}", style="yellow"))
        else:
            marks.append(Text("✗", style="red"))
    return marks


def _scenarios(report: Report) -> None:
    columns = ("id", "scenario", "variant", *_AT, "bits", "delay", "rank", "reason", "above")
    for name, own in grouped(report.scenarios):
        caught, runs = sum(row.caught[ONE] for row in own), sum(row.runs for row in own)
        terminal.heading(f"\n{name}: {caught} of {runs} caught at one false alert a day per 100 workloads")
        rows: list[Sequence[str | Text]] = [
            (
                row.scenario,
                row.name,
                Text(row.variant, style="" if row.variant == FULL else "dim"),
                *_ticks(row),
                f"{row.bits:.1f}",
                "" if row.delay is None else f"{row.delay:.0f} min",
                f"{row.rank:.0f}",
                " ".join(str(place) if place else "-" for place in row.reasons),
                "" if row.above is None else f"{row.above:+.1f}",
            )
            for row in own
        ]
        terminal.table(columns, rows, right=(*_AT, "bits", "delay", "rank", "reason", "above"))
    terminal.say(
        f"ticks: caught at {', '.join(_AT)} false alerts a day per 100 workloads; rank: among all alerts; "
        "reason: place of the true one; above: bits to the labelled lookalikes"
    )


def _missed(report: Report) -> None:
    lost = missed(report)
    if not lost:
        return
    full = [(row, why) for row, why in lost if row.variant == FULL]
    terminal.heading("\nMissed at full strength at one a day, and what is known of why")
    rows = [(row.scenario, f"{row.caught[ONE]} of {row.runs}", row.name, Text(why, style="dim")) for row, why in full]
    terminal.table(("id", "caught", "scenario", "why"), rows, below=True)
    others = dict.fromkeys(row.scenario for row, _ in lost if row.variant != FULL)
    if others:
        terminal.say(f"missed dampened: {', '.join(others)} (why stands in the report's page)")


def _chains(report: Report) -> None:
    if not report.chains:
        return
    terminal.heading("\nChains: does joined evidence stand out more than the strongest part?")
    rows = [
        (
            row.scenario,
            f"{row.name} (benign)" if row.benign else row.name,
            row.variant,
            f"{row.bits:.1f}",
            str(row.rank),
            _counts(row.fired) + f" of {row.stages}",
            f"{row.best:.1f} -> {row.joined:.1f}",
            f"{row.best_place} -> {row.joined_place}",
            f"{row.incident} ({row.incidents})" if row.incident else "-",
            _passes("stays low" if row.low else "LOUD", good=row.low) if row.benign else "",
        )
        for row in sorted(report.chains, key=lambda row: (row.scenario, row.variant != FULL, row.estate))
    ]
    columns = ("id", "chain", "variant", "bits", "rank", "fired", "best -> joined", "place", "incident", "")
    terminal.table(columns, rows, right=("bits", "rank"))
    terminal.say(
        "fired: parts caught at each rate; place: of the best part -> of all joined, among what untouched workloads "
        "show in as many hours; incident: the first that shows it (how many it falls into)"
    )


def _counts(counts: Counts) -> str:
    return " / ".join(str(count) for count in counts)


def _lookalikes(report: Report) -> None:
    costly = [row for row in report.lookalikes if any(row.alerts)]
    terminal.heading(f"\nLookalikes that cost alerts ({len(costly)} of {len(report.lookalikes)} kinds)")
    if costly:
        rows: list[Sequence[str | Text]] = [
            (
                row.kind or "-",
                row.name or "others",
                f"{row.acts:,}",
                *(str(count) for count in row.alerts),
                f"{row.spread[2]:.1f}",
                f"{row.spread[4]:.1f}",
                Text(row.why, style="dim"),
            )
            for row in sorted(costly, key=lambda row: tuple(-count for count in row.alerts))
        ]
        numbers = ("acts", *_AT, "median", "strongest")
        terminal.table(("kind", "behaviour", *numbers, "its strongest reason"), rows, right=numbers, below=True)
    if report.false:
        terminal.heading(f"\nStrongest false alerts ({min(FALSE_SHOWN, len(report.false))})")
        strange = [
            (
                f"{alert.bits:.1f}",
                alert.workload,
                terminal.moment(alert.start)[5:],
                ", ".join(alert.acts) or "-",
                Text(alert.why, style="dim"),
            )
            for alert in report.false[:FALSE_SHOWN]
        ]
        columns = ("bits", "workload", "when", "benign acts beside it", "strongest reason")
        terminal.table(columns, strange, right=("bits",), below=True)


def _calibration(report: Report) -> None:
    terminal.heading("\nFalse alerts a day for the fleet: promised and realised")
    rows = [
        (
            terminal.severity(row.severity),
            f"{row.promised:g}",
            f"{row.realised:.1f}",
            f"{row.ratio:.2f}",
            f"{row.untouched:.1f}",
            Text(", ".join(f"{share.cohort} {share.alerts}" for share in row.cohorts[:5]), style="dim"),
        )
        for row in report.rates
    ]
    numbers = ("promised", "realised", "ratio", "untouched")
    terminal.table(("severity", *numbers, "most from"), rows, right=numbers)


def _conditions(report: Report) -> None:
    if not report.conditions:
        return
    whole = report.conditions[0].caught
    terminal.heading("\nBlind spots: the first estate through worse sensors, caught at one a day")
    rows = [
        (
            row.name,
            f"{row.caught}",
            f"{row.caught / whole:.0%}" if whole else "",
            Text("█" * min(round(BAR * row.caught / whole), BAR) if whole else "", style="cyan"),
            row.failed or ", ".join([*row.lost, *(f"+{name}" for name in row.gained)]) or "-",
        )
        for row in report.conditions
    ]
    terminal.table(("sensors", "caught", "share", "", "lost (+ gained)"), rows, right=("caught", "share"))


def _sweep(sweep: Sweep) -> None:
    terminal.heading(f"\nSweep: {sweep.name}")
    rows = []
    for name, cells in matrix(sweep):
        marks: list[Text | str] = [name]
        for cell in cells:
            if cell is None:
                marks.append("")
            elif cell.caught is None:
                marks.append(Text("·", style="dim"))
            else:
                style, mark = ("green", "✓") if cell.caught else ("red", " ")
                marks.append(Text(f"{cell.bits or 0:.1f} {mark}", style=style))
        rows.append(marks)
    terminal.table(("", *sweep.columns), rows, right=sweep.columns)
    terminal.say(f"{sweep.meaning}; bits, ticked where caught at one a day, a dot where not played")
