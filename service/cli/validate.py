"""`wharfinger validate`: what the detector catches, at what noise, on estates whose ground truth is known."""

import sys
from collections import defaultdict
from pathlib import Path

import click

from service.cli import terminal
from service.cli.group import FAILURE, Invocation
from service.cli.options import settings_of
from service.cli.validation import show
from service.emulation.splits import Split
from service.jobs.validate import Plan, validate
from service.validation.claims import claimed
from service.validation.files import PAGE, name_of, store


@click.command("validate")
@click.option(
    "--split",
    type=click.Choice([split.value for split in Split]),
    default=Split.TEST.value,
    show_default=True,
    help="Which third of all made-up estates.",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="How many estates."
)
@click.option("--workloads", type=click.IntRange(min=8), default=100, show_default=True, metavar="N", help="Of each.")
@click.option("--days", type=click.IntRange(min=2), default=9, show_default=True, metavar="N", help="Days of each.")
@click.option("--learn-days", type=click.IntRange(min=1), metavar="N", help="Days to learn from; else all but two.")
@click.option(
    "--flows", type=click.IntRange(min=1000), default=300_000, show_default=True, metavar="N", help="Network log rows."
)
@click.option("--quick", is_flag=True, help="Leave out sweeps and blind spots.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Keep telemetry here.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Else under the home.")
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def command(
    invocation: Invocation,
    *,
    split: str,
    seeds: int,
    workloads: int,
    days: int,
    learn_days: int | None,
    flows: int,
    keep: Path | None,
    output: Path | None,
    shape: str,
    quick: bool,
) -> int:
    """Measure what is caught, and at what noise.

    Writes estates whose ground truth is known, learns each as a refresh does, scores what follows and judges the
    alerts: by scenario, against benign lookalikes, chains, sweeps, and through worse sensors. The report is stored as
    JSON, as a page and as an ATT&CK Navigator layer. Ends with 1 if the verdict fails. Home and models stay untouched.
    """
    settings = settings_of(invocation)
    plan = Plan(
        split=Split(split),
        seeds=seeds,
        workloads=workloads,
        days=days,
        learn_days=learn_days or max(days - 2, 1),
        flows=flows,
        quick=quick,
    )
    with terminal.progress() as progress:
        done = validate(plan, budget=settings.alert_budget, claims=claimed(), keep=keep, progress=progress)
    report = done.report
    folder = output or settings.home / "validation" / name_of(report)
    store(report, folder)
    if shape == "json":
        sys.stdout.buffer.write(report.to_json())
    else:
        show(report)
        spent: dict[str, float] = defaultdict(float)
        for step, seconds in done.seconds.items():
            spent[step.partition(":")[0]] += seconds
        steps = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in spent.items() if seconds >= 1)
        terminal.say(f"\nReport: {folder / PAGE} ({steps or 'under a second'})")
    return 0 if report.passed else FAILURE
