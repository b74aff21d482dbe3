"""The report as one page: no scripts, no other files, for screens light and dark."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.validation import plots
from service.validation.outcomes import FULL, alone
from service.validation.report import ONE, RATES, Report, ScenarioRow, Sweep

TEMPLATE = "report.html.jinja"
FALSE_SHOWN = 15


def page(report: Report) -> str:
    """Render a report."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(**_context(report))


def _context(report: Report) -> dict[str, Any]:
    ones = [estate.thresholds[ONE] for estate in report.estates if estate.thresholds[ONE] is not None]
    full = [outcome for outcome in alone(report.outcomes) if outcome.variant == FULL]
    dampened = [outcome for outcome in alone(report.outcomes) if outcome.variant != FULL]
    return {
        "report": report,
        "rates": RATES,
        "at": [f"{rate:g}" for rate in RATES],
        "one": ONE,
        "full": FULL,
        "groups": grouped(report.scenarios),
        "missed": missed(report),
        "figures": [
            ("full strength caught", f"{sum(o.caught[ONE] for o in full)} of {len(full)}"),
            ("dampened caught", f"{sum(o.caught[ONE] for o in dampened)} of {len(dampened)}"),
            ("windows scored", f"{sum(estate.windows for estate in report.estates):,}"),
            ("days watched", f"{sum(estate.days for estate in report.estates):.0f}"),
        ],
        "false": report.false[:FALSE_SHOWN],
        "matrices": [(sweep, matrix(sweep)) for sweep in report.sweeps],
        # made of numbers and escaped names by `plots`
        "curve": Markup(plots.curve(report.curve)),  # noqa: S704
        "strips": Markup(plots.strips(report.outcomes, report.lookalikes, [bits for bits in ones if bits])),  # noqa: S704
        "bars": Markup(plots.bars(report.conditions)) if report.conditions else "",  # noqa: S704
    }


def grouped(rows: tuple[ScenarioRow, ...]) -> list[tuple[str, list[ScenarioRow]]]:
    """Sort scenarios into the families of the catalogue, by the letter of their ids."""
    groups = [
        (name, [row for row in rows if row.scenario.startswith(letter)]) for letter, name in plots.FAMILIES.items()
    ]
    return [(name, own) for name, own in groups if own]


def missed(report: Report) -> list[tuple[ScenarioRow, str]]:
    """List what is missed in some run at one false alert a day, and what is known of why."""
    found = [(row, reason(row)) for row in report.scenarios if row.caught[ONE] < row.runs]
    return sorted(found, key=lambda item: (item[0].variant != FULL, item[0].scenario))


def reason(row: ScenarioRow) -> str:
    """Say why a scenario is missed: it cannot be seen, left nothing, or is no stranger than what is benign."""
    if row.blind:
        return f"blind: {row.blind}"
    if not row.bits:
        return "left no window that is strange at all"
    beside = f", {row.above:+.1f} to its lookalikes" if row.above is not None else ""
    return f"{row.bits:.1f} bits{beside}: {row.why or 'no single feature tells'}"


def matrix(sweep: Sweep) -> list[tuple[str, list[Any]]]:
    """Put the cells of a sweep into rows, in the order of its columns; None where there is no cell."""
    cells = {(cell.row, cell.column): cell for cell in sweep.cells}
    return [(row, [cells.get((row, column)) for column in sweep.columns]) for row in sweep.rows]
