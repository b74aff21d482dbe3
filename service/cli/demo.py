"""`wharfinger demo`: the main job from the bundled capture to served findings."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
from rich.text import Text

from service.cli import ingest as ingest_command
from service.cli import refresh as refresh_command
from service.cli import terminal
from service.cli.findings import first_reason
from service.cli.group import Invocation
from service.cli.options import settings_of
from service.jobs.demo import Finding, Outcome, bundled_sample, findings, load_sample, outcomes
from service.jobs.ingest import ingest
from service.jobs.refresh import refresh
from service.jobs.score import score
from service.settings import Settings
from service.wiring import open_home

SHOWN = 20


@click.command("demo")
@click.option("--no-serve", is_flag=True, help="Stop after the findings.")
@click.option(
    "--sample",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Another capture with a truth.json, made by `python -m data.capture`.",
)
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Port to serve on; else the setting, 8080.")
@click.pass_obj
def command(invocation: Invocation, sample: Path | None, port: int | None, *, no_serve: bool) -> None:
    """Learn the bundled capture, find what hides in it, serve the findings.

    The capture is of a real Docker Engine: a small estate at work, and emulated attacks whose time and place are known.
    Uses a home of its own, removed at the end, unless `wharfinger --home DIR demo` names one.
    """
    with _settings(invocation) as settings:
        find(settings, sample or bundled_sample())
        if no_serve:
            return
        from service.serving import serve  # noqa: PLC0415 -- the demo without a server needs no web framework

        chosen = settings.listen_port if port is None else port
        terminal.heading(f"\nServing on http://{settings.listen_host}:{chosen} (Ctrl-C ends it)")
        serve(settings, settings.listen_host, chosen, settings.web_workers)


@contextmanager
def _settings(invocation: Invocation) -> Iterator[Settings]:
    """Give settings whose home is the one that was named, or a temporary one: the demo never touches real data."""
    settings = settings_of(invocation)
    if invocation.home is not None:
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="wharfinger-demo-") as folder:
        yield replace(settings, home=Path(folder))


def find(settings: Settings, folder: Path) -> list[Outcome]:
    """Ingest, learn until the split, score what follows, and show what was found."""
    sample = load_sample(folder)
    home = open_home(settings)
    terminal.heading(f"1. Ingest {len(sample.files)} files of {sample.folder}")
    with terminal.progress() as progress:
        ingested = ingest(home, sample.files, progress=progress)
    ingest_command.show(ingested)
    terminal.heading(f"\n2. Learn what is normal until {sample.split:%Y-%m-%d %H:%M} UTC")
    with terminal.progress() as progress:
        refreshed = refresh(home, until=sample.split, progress=progress)
    refresh_command.show(refreshed)
    if not refreshed.promoted:
        home.registry.promote(refreshed.version)
    terminal.heading("\n3. Score what follows")
    with terminal.progress() as progress:
        scores = score(home, since=sample.split, progress=progress)
    ranked = findings(scores, sample)
    told = outcomes(scores, sample, ranked)
    terminal.say(f"{len(scores):,} windows of {len({s.workload for s in scores})} workloads")
    show_findings(ranked)
    show_outcomes(told)
    return told


def show_findings(ranked: Sequence[Finding]) -> None:
    """Write the strongest findings and what each of them is."""
    rows = [
        (
            str(finding.rank),
            terminal.severity(finding.alert.severity),
            f"{finding.alert.bits:.1f}",
            finding.alert.workload,
            terminal.moment(finding.alert.strongest.window_start)[5:],
            Text(_truth(finding), style="bold" if finding.attack else "dim"),
            first_reason(finding.alert.strongest),
        )
        for finding in ranked[:SHOWN]
    ]
    terminal.heading(f"\nFindings, strongest first ({len(rows)} of {len(ranked)})")
    if rows:
        columns = ("#", "severity", "bits", "workload", "when", "in truth", "first reason")
        terminal.table(columns, rows, right=("#", "bits"), below=True)


def _truth(finding: Finding) -> str:
    if not finding.titles:
        return "-"
    return ", ".join(finding.titles) if finding.attack else f"benign: {', '.join(finding.titles)}"


def show_outcomes(told: Sequence[Outcome]) -> None:
    """Write a line for each emulated attack."""
    alerted = sum(outcome.found for outcome in told)
    listed = sum(outcome.rank is not None and outcome.rank <= SHOWN for outcome in told)
    terminal.heading(
        f"\nEmulated attacks: {alerted} of {len(told)} alerted, {listed} among the {SHOWN} strongest findings"
    )
    rows = []
    for outcome in told:
        bits = f"{outcome.strongest.bits:.1f}" if outcome.strongest else ""
        if outcome.strongest is None or outcome.rank is None:
            verdict = Text("missed", style="red")
        elif outcome.found:
            verdict = Text(f"found, rank {outcome.rank}", style="green")
        else:
            verdict = Text(f"{outcome.strongest.severity}, rank {outcome.rank}", style="yellow")
        rows.append((verdict, bits, outcome.act.title, outcome.act.workload, outcome.act.note))
    terminal.table(("verdict", "bits", "emulation", "workload", "what was done"), rows, right=("bits",), below=True)
