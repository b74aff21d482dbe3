"""`wharfinger explain`: one window, its reasons, and what is normal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from features.windows import WINDOW, floor_window
from models.scores import Attribution, Reason, Score
from service.cli import terminal
from service.cli.findings import told
from service.cli.group import CommandError, Invocation
from service.cli.options import Moment, home_of
from service.jobs.score import model, score
from service.wiring import Home

ACTIVE = 0.01  # a feature that is zero in 99 windows of 100 is not what describes a workload
MOST = 6


@click.command("explain")
@click.argument("workload")
@click.argument("window_start", type=Moment())
@click.pass_obj
def command(invocation: Invocation, workload: str, window_start: datetime) -> None:
    """Say why a window is strange.

    WORKLOAD and WINDOW_START are as `score` prints them; a time within the window will do.
    """
    home = home_of(invocation)
    start = floor_window(window_start)
    found = home.store.get(workload, start) or _score_now(home, workload, start)
    show(found)
    baseline = model(home).baseline(workload)
    if baseline:
        terminal.say()
        show_baseline(baseline)


def _score_now(home: Home, workload: str, start: datetime) -> Score:
    for candidate in score(home, since=start, until=start + WINDOW):
        if candidate.workload == workload:
            return candidate
    raise CommandError(
        f"no closed window of {workload} starts at {start:%Y-%m-%dT%H:%M:%SZ} (wharfinger score lists those there are)"
    )


def show(score: Score) -> None:
    """Write a score, its evidence per family and its reasons."""
    terminal.heading(f"{score.workload}  {terminal.moment(score.window_start)} to {score.window_end[11:16]} UTC")
    chance = f"chance {score.p_value:.2g} per window"
    terminal.say(f"{score.severity}: {score.bits:.1f} bits, {chance} (score {score.score:.2f}, model {score.model})")
    base = score.baseline
    terminal.say(f"measured against the {base.level}: {base.windows:,} windows, maturity {base.maturity:.0%}")
    terminal.say()
    terminal.bars(sorted(score.evidence.items(), key=lambda pair: -pair[1]), "bits")
    if score.reasons:
        terminal.say()
        rows = [(f"{r.bits:.1f}", r.feature, r.technique, told(r)) for r in score.reasons]
        terminal.table(("bits", "feature", "technique", "reason"), rows, right=("bits",), below=True)
        terminal.say()
        seen = [(r.feature, r.value, r.expected, _standing(r)) for r in score.reasons]
        terminal.table(("feature", "value", "expected", "measured against"), seen)
    if score.counterfactual:
        terminal.say()
        terminal.say(f"It {score.counterfactual.text}.")
    if score.attribution:
        terminal.say()
        show_attribution(score.attribution)


def show_attribution(attribution: Attribution) -> None:
    """Write how many splits each feature spared the forest on its way to the window."""
    usual, path = attribution.expected_path_length, attribution.path_length
    terminal.say(f"The forest isolates it after {path:.2f} splits; usual are {usual:.2f}. Credited to:")
    terminal.table(
        ("splits", "feature"),
        [(f"{splits:+.2f}", feature) for feature, splits in attribution.credit.items()],
        right=("splits",),
    )


def _standing(reason: Reason) -> str:
    if reason.level is None or reason.maturity is None:  # stored by an earlier release
        return ""
    return f"the {reason.level}" + (f", {reason.maturity:.0%} mature" if reason.level == "workload" else "")


def show_baseline(baseline: Mapping[str, Any]) -> None:
    """Write what is normal for the workload: what it runs, its usual sizes, what it has met most."""
    terminal.heading("What is normal")
    first, last = terminal.moment(baseline["first_seen"]), terminal.moment(baseline["last_seen"])
    terminal.say(f"{baseline['image_repository'] or 'no image'}, cohort {baseline['cohort']}, known {first} to {last}")
    usual = [
        (
            name,
            _figure(m["typical"]),
            f"{_figure(m['low'])} to {_figure(m['high'])}",
            m["unit"],
            f"{m['active_share']:.0%}",
        )
        for name, m in baseline["magnitudes"].items()
        if m["active_share"] >= ACTIVE
    ]
    if usual:
        terminal.table(("feature", "typical", "usual range", "unit", "windows"), usual, right=("typical", "windows"))
    met = [(name, _most(items)) for name, items in baseline["items"].items() if items]
    if met:
        terminal.say()
        terminal.table(("feature", "met most"), met)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"  # noqa: PLR2004 -- two digits tell enough below


def _most(items: Sequence[Mapping[str, Any]]) -> str:
    named = ", ".join(str(item["item"]) for item in items[:MOST])
    return named + (f" and {len(items) - MOST} more" if len(items) > MOST else "")
