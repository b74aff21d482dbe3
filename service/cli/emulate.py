"""`wharfinger emulate`: what an emulation would do on this Docker host, or does with --apply."""

import secrets
import signal
from pathlib import Path

import click

from service.cli import terminal
from service.cli.findings import first_reason
from service.cli.group import FAILURE, INTERRUPTED, Invocation
from service.cli.options import home_of, make_writable
from service.emulation.live.actions import LABEL, Action, Plan
from service.emulation.live.planner import obstacle
from service.emulation.live.playing import Played, Stopped
from service.emulation.scenario import VARIANTS, Variant, library
from service.jobs.emulate import SOCKET, Detection, clean_up, detection, judged, play, prepare, watch

TERMINATED = 143
WAIT_SECONDS = 900.0


@click.command("emulate")
@click.argument("scenario", required=False)
@click.option("--variant", type=click.Choice(VARIANTS), default="high", show_default=True, help="How loud.")
@click.option("--apply", is_flag=True, help="Play it; else the plan is shown and nothing is done.")
@click.option(
    "--socket",
    "engine",
    type=click.Path(path_type=Path),
    default=SOCKET,
    show_default=True,
    metavar="PATH",
    help="The engine's socket.",
)
@click.option(
    "--minutes", type=click.FloatRange(0.05, 1440), default=10.0, show_default=True, help="How much is played."
)
@click.option(
    "--faster", type=click.FloatRange(1, 1000), default=1.0, help="Divide every period: more fits, and it is louder."
)
@click.option("--privileged", is_flag=True, help="Start privileged stand-ins, too; their command only sleeps.")
@click.option("--image", default="", metavar="REF", help="Image of this host to use in place of its static busybox.")
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep events, inspects and flows of the run as files to ingest, and score them at once.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for the run's windows to be scored.")
@click.option("--clean", "cleaning", is_flag=True, help="Remove what earlier runs have left, and end.")
@click.pass_obj
def command(
    invocation: Invocation,
    *,
    scenario: str | None,
    variant: Variant,
    engine: Path,
    minutes: float,
    faster: float,
    image: str,
    record: Path | None,
    apply: bool,
    privileged: bool,
    no_wait: bool,
    cleaning: bool,
) -> int:
    """Play an attack's telemetry on this Docker host, safely, and say whether it was detected.

    Without --apply the plan is shown: every call to the engine, what it leaves and how it is cleaned. Everything that a
    run makes is a stand-in with the label io.wharfinger.emulation, on internal networks, and is removed at the end;
    nothing without the label is touched. Without SCENARIO the scenarios are listed.
    """
    if cleaning:
        return _clean(engine)
    if scenario is None:
        if apply:
            raise click.UsageError("--apply needs a SCENARIO; without one they are listed")
        _list()
        return 0
    made = prepare(
        scenario,
        variant,
        secrets.token_hex(4),
        engine=engine,
        minutes=minutes,
        faster=faster,
        privileged=privileged,
        image=image,
    )
    if not apply:
        show_plan(made)
        terminal.say("\nNothing was done: --apply plays it.")
        return 0
    if record is not None:
        make_writable(record)
    try:
        played = play(made, engine, terminal.say, record)
        _tell_cleaned(played)
        home = home_of(invocation)
        if record is not None:
            terminal.say(f"recorded for wharfinger ingest: {record}")
            found = judged(home, played, record)
        elif no_wait:
            found = detection(home, played)
        else:
            terminal.say("waiting for the windows of the run to be scored (Ctrl-C ends the wait)")
            found = watch(home, played, terminal.say, seconds=WAIT_SECONDS)
    except Stopped as stopped:
        terminal.note(f"wharfinger: {stopped}")
        return INTERRUPTED if stopped.number == signal.SIGINT else TERMINATED
    show_detection(found, played, waited=not no_wait)
    return FAILURE if played.left else 0


def _list() -> None:
    rows = []
    for scenario in library().values():
        why = obstacle(scenario)
        rows.append((scenario.id, "no" if why else "yes", scenario.name, f"no: {why}" if why else scenario.summary))
    terminal.table(("id", "live", "scenario", "what it shows, or why it cannot be played"), rows, below=True)
    terminal.say("\nwharfinger emulate ID shows the plan of one; --apply plays it on this host.")


def _clean(engine: Path) -> int:
    removed, left = clean_up(engine)
    for what in removed:
        terminal.say(f"removed {what}")
    for what in left:
        terminal.note(f"wharfinger: left behind: {what}")
    if not removed and not left:
        terminal.say(f"nothing on this host carries the label {LABEL}")
    return FAILURE if left else 0


def show_plan(made: Plan) -> None:
    """Write what a run would do."""
    scenario = made.scenario
    terminal.heading(f"{scenario.id} {scenario.name}, {made.variant}: run {made.run}, {made.seconds:.0f} s")
    terminal.say(scenario.summary)
    terminal.heading("\nBefore it begins")
    for action in made.setting:
        _show(action, timed=False)
    terminal.heading("\nThe scenario")
    for action in made.actions:
        _show(action, timed=True)
    terminal.heading("\nAfter it, on an error, on Ctrl-C and on SIGTERM")
    terminal.say(
        f"  every container, network and image with the label {LABEL}={made.run} is removed, by id, and {made.folder};"
    )
    terminal.say("  after a kill -9, `wharfinger emulate --clean` does the same for every run.")
    terminal.heading("\nTo know")
    for note in made.notes:
        terminal.say(f"  - {note}")


def _show(action: Action, *, timed: bool) -> None:
    terminal.say(f"  {f'{action.at:6.1f} s  ' if timed else ''}{action.words}")
    for call in action.calls:
        terminal.say(f"            {call}")
    if action.leaves:
        terminal.say(f"            leaves: {action.leaves}")


def _tell_cleaned(played: Played) -> None:
    for refusal in played.refused:
        terminal.say(f"refused, as may be: {refusal}")
    terminal.say(f"removed {len(played.removed)} things that the run made")
    for what in played.left:
        terminal.note(f"wharfinger: left behind: {what} (wharfinger emulate --clean tries again)")


def show_detection(found: Detection, played: Played, *, waited: bool) -> None:
    """Say whether and when a run was detected."""
    if not found.events:
        terminal.say("no telemetry of this run has arrived: is a collector running?")
        return
    names = ", ".join(found.workloads) or "no workload of its own"
    terminal.say(f"{found.events:,} events of this run have arrived, as {names}")
    if found.strongest is None:
        hint = "is scoring running (wharfinger score, or serve)?" if waited else "the windows are still open"
        terminal.say(f"no window of this run has been scored: {hint}")
        return
    first = found.first
    if first is None:
        terminal.say(f"not detected: the strongest of its windows is {found.strongest.severity}")
    else:
        begin = f"{played.begin:%H:%M:%S}"
        terminal.say(f"detected: {first.severity}, window to {first.window_end[11:16]}; the run began at {begin}")
    shown = first or found.strongest
    terminal.say(f"{shown.bits:.1f} bits, {shown.workload}: {first_reason(shown)}")
