"""`wharfinger validate`: what the detector catches, on estates whose ground truth is known or on an own day."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from service.cli import terminal
from service.cli.group import FAILURE, Invocation
from service.cli.options import make_writable, settings_of
from service.cli.rehearsal import show as show_rehearsal
from service.cli.validation import show
from service.emulation.scenario import VARIANTS, Variant
from service.emulation.splits import Split
from service.jobs.rehearse import rehearse
from service.jobs.validate import Plan, validate
from service.settings import Settings
from service.strategies import claimed
from service.validation import rehearsal
from service.validation.files import PAGE, name_of, store
from service.wiring import open_home

MADE_UP = ("split", "seeds", "workloads", "days", "learn_days", "flows", "quick", "keep")
OWN = ("model", "variants")


class Variants(click.ParamType[tuple[Variant, ...]]):
    """Names of variants with commas between them, each once."""

    name = "variants"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Variant, ...]:  # noqa: ANN401 -- what click hands over
        """Read the names.

        Examples
        --------
        >>> Variants().convert("high,low", None, None)
        ('high', 'low')
        """
        if isinstance(value, tuple):
            return value
        named = tuple(dict.fromkeys(word.strip() for word in str(value).split(",")))
        if unknown := [name for name in named if name not in VARIANTS]:
            self.fail(f"{unknown[0]!r} is no variant (choose from {', '.join(VARIANTS)})", param, ctx)
        return tuple(variant for name in named for variant in VARIANTS if variant == name)


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
@click.option("--own", is_flag=True, help="Play the attacks into the last day of this home's lake instead.")
@click.option("--model", metavar="VERSION", help="With --own: another model than the champion.")
@click.option(
    "--variants",
    type=Variants(),
    default="high,dampened",
    show_default=True,
    metavar="A,B",
    help=f"With --own: how loud; of {', '.join(VARIANTS)}.",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Else under the home.")
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(
    context: click.Context,
    *,
    split: str,
    seeds: int,
    workloads: int,
    days: int,
    learn_days: int | None,
    flows: int,
    quick: bool,
    keep: Path | None,
    own: bool,
    model: str | None,
    variants: tuple[Variant, ...],
    output: Path | None,
    shape: str,
) -> int:
    """Measure what is caught, and at what noise.

    Writes estates whose ground truth is known, learns each as a refresh does, scores what follows and judges the
    alerts: by scenario, against benign lookalikes, chains, sweeps, and through worse sensors. The report is stored as
    JSON, as a page and as an ATT&CK Navigator layer. Ends with 1 if the verdict fails.

    With --own the attacks are played into the last day of this home's lake, and its model scores the day with them:
    what would be seen here, through the sensors there are. Lake and models stay as they are, either way.
    """
    _refuse_mixed(context, own=own)
    settings = settings_of(context.ensure_object(Invocation))
    for folder in (output, keep):
        if folder is not None:
            make_writable(folder)
    if own:
        return _rehearse(settings, model, variants, output, shape)
    plan = Plan(
        split=Split(split),
        seeds=seeds,
        workloads=workloads,
        days=days,
        learn_days=learn_days or max(days - 2, 1),
        flows=flows,
        quick=quick,
    )
    return _validate(settings, plan, keep, output, shape)


def _refuse_mixed(context: click.Context, *, own: bool) -> None:
    """Refuse options that the kind of validation asked for does not have."""
    for name in MADE_UP if own else OWN:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            option = f"--{name.replace('_', '-')}"
            why = "is for made-up estates and does not go with --own" if own else "needs --own"
            raise click.UsageError(f"{option} {why}", context)


def _rehearse(
    settings: Settings, model: str | None, variants: Sequence[Variant], output: Path | None, shape: str
) -> int:
    home = open_home(settings)
    with terminal.progress() as progress:
        report = rehearse(home, version=model, variants=variants, progress=progress)
    file = rehearsal.store(report, output or settings.home / "validation" / rehearsal.name_of(report))
    if shape == "json":
        sys.stdout.buffer.write(report.to_json())
    else:
        show_rehearsal(report)
        terminal.say(f"\nReport: {file}")
    return 0


def _validate(settings: Settings, plan: Plan, keep: Path | None, output: Path | None, shape: str) -> int:
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
