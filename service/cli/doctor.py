"""`wharfinger doctor`: what works, what does not, and what to do."""

import os
import time
from datetime import UTC, datetime

import click
from rich.text import Text

from service.cli import terminal
from service.cli.findings import write_ndjson
from service.cli.group import FAILURE, Invocation
from service.cli.options import output_format, settings_of
from service.jobs.doctor import examine
from service.jobs.doctor_findings import Finding, Site
from service.settings import SettingsError

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command("doctor")
@output_format()
@click.pass_obj
def command(invocation: Invocation, shape: str) -> int:
    """Check what an operator would want checked, and say what to do.

    Settings, files, data, model, access, outputs and the server that leads. Nothing is
    changed, and no secret is shown. Ends with 1 if something fails.
    """
    found = _found(invocation)
    if shape == "ndjson":
        write_ndjson(found, None)
    else:
        rows = [(one.check, Text(one.level, STYLES[one.level]), one.told, one.advice) for one in found]
        terminal.table(("check", "state", "finding", "what to do"), rows)
    return FAILURE if any(one.level == "fail" for one in found) else 0


def _found(invocation: Invocation) -> list[Finding]:
    try:
        settings = settings_of(invocation)
    except SettingsError as error:
        advice = "correct it; nothing else can be looked at before"
        return [Finding(check="settings", level="fail", told=str(error), advice=advice)]
    return examine(Site(settings, os.environ, datetime.now(UTC), time.sleep))
