"""What the detection strategies claim to find is played anew, and has to fire."""

from pathlib import Path

import pytest

from service.emulation.scenario import library
from service.emulation.splits import Split
from service.jobs.validate import Plan, validate
from service.strategies import claimed, claims

ADS = Path(__file__).parents[2] / "docs" / "ads"


def test_every_page_claims_scenarios_that_there_are() -> None:
    """A page without a claim, or with one of a scenario that nobody can play, is refused."""
    pages = [page for page in ADS.glob("*.md") if page.name != "README.md"]

    assert pages
    for page in pages:
        assert claims(page.read_text()), f"{page.name} claims nothing"
    assert set(claimed((ADS,))) <= set(library())


@pytest.mark.slow
def test_claimed_scenarios_fire() -> None:
    """At full strength, at one false alert a day and 100 workloads, on an estate of the validation split."""
    done = validate(Plan(split=Split.VALIDATION, seeds=1, flows=100_000, quick=True), claims=claimed((ADS,)))

    gates = {gate.name: gate for gate in done.report.gates}
    gate = gates["claimed scenarios fire"]
    assert gate.passed, gate.found
    assert gates["beats chance"].passed
