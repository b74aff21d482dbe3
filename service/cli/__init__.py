"""The command line. Commands are imported when they are called, so that `wharfinger --help` answers at once."""

from importlib.metadata import version
from pathlib import Path

import click

from service.cli.group import Invocation, LazyGroup

COMMANDS = {
    "ingest": "Read telemetry files into the lake.",
    "lake": "Show, compact and expire the store of events.",
    "refresh": "Learn baselines and a model from the lake.",
    "score": "Score every closed window, strongest first.",
    "incidents": "List alerts: runs of strange windows.",
    "verdict": "Say of an incident what it was; without arguments, list what was said.",
    "explain": "Say why a window is strange.",
    "coverage": "Tell which source tells of which host, and since when it is silent.",
    "outputs": "List and test outputs, deliver what is due, and see what did not arrive.",
    "serve": "Serve the API and the dashboard.",
    "keys": "Create, revoke and list API keys.",
    "audit": "List who changed what.",
    "doctor": "Check what an operator would want checked, and say what to do.",
    "database": "Show, migrate, back up and restore the database.",
    "models": "List, show, promote and roll back models.",
    "validate": "Measure what is caught, and at what noise.",
    "emulate": "Play an attack's telemetry on this Docker host, safely, and say whether it was detected.",
    "demo": "Learn the bundled capture, find what hides in it, serve the findings.",
}


@click.group(
    "wharfinger",
    cls=LazyGroup,
    commands_in={name: (f"service.cli.{name}", short) for name, short in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of lake, models and scores; else WHARFINGER_HOME, else the user data directory.",
)
@click.option("--debug", is_flag=True, help="Show the full trace of an error.")
@click.version_option(version("wharfinger"), message="wharfinger %(version)s")
@click.pass_context
def main(context: click.Context, home: Path | None, *, debug: bool) -> None:
    """Find adversaries who hide in containers.

    Wharfinger learns what is normal for every container workload, scores each ten-minute window and says in words why
    it is strange. Start with `wharfinger demo`.
    """
    context.obj = Invocation(home, debug)
