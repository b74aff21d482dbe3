"""Prints the scenario library as a page: `python -m service.emulation.catalogue > docs/scenarios.md`."""

from service.emulation.scenario import Scenario, library

HEAD = """# Scenarios

Written by `make docs` from `service/emulation/scenarios/`, one file each. `wharfinger validate` plays all of them in
made-up estates; those marked *live* can be played on a Docker host with `wharfinger emulate ID`. B1 to B23 are benign
lookalikes of which each estate has its share. How well each is found: [Validation](validation.md).
"""
KINDS = {
    "I": "Images and supply chain", "D": "Deployment, configuration, escape", "E": "Commands, discovery, credentials",
    "N": "Network", "C": "Chains",
}  # fmt: skip


def page() -> str:
    """Return the page in Markdown."""
    parts = [HEAD]
    for kind, title in KINDS.items():
        own = [scenario for scenario in library().values() if scenario.id.startswith(kind)]
        parts += [f"\n## {title}\n\n| id | what is played | techniques | looks like |\n|---|---|---|---|\n"]
        parts += [_row(scenario) for scenario in own]
    return "".join(parts)


def _row(scenario: Scenario) -> str:
    marks = [mark for mark, holds in (("live", scenario.live), ("must stay low", scenario.benign)) if holds]
    said = f" *({', '.join(marks)})*" if marks else ""
    what = f"**{scenario.name}**{said}: {scenario.summary}"
    if scenario.stages:
        what += f" Parts: {', '.join(stage.scenario or stage.lookalike for stage in scenario.stages)}."
    if scenario.blind:
        what += f" *Not to be seen:* {scenario.blind}"
    cells = (scenario.id, what.replace("|", "\\|"), ", ".join(scenario.techniques), ", ".join(scenario.lookalikes))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    print(page(), end="")
