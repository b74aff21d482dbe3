"""Checks what an operator would want checked, and says what to do; nothing is changed, and no secret is shown."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from service.jobs import doctor_data, doctor_place, doctor_service
from service.jobs.doctor_findings import Finding, Found, Site, fail, warn


class Check(NamedTuple):
    """A check, by its name in the report; it is left out when one that it needs has failed."""

    name: str
    look: Callable[[Site], Iterable[Found]]
    needs: tuple[str, ...] = ()


CHECKS = (
    Check("settings", doctor_place.settings),
    Check("packages", doctor_place.packages),
    Check("home", doctor_place.home),
    Check("disk", doctor_place.disk, ("home",)),
    Check("private files", doctor_place.private_files, ("home",)),
    Check("lake", doctor_data.lake, ("home",)),
    Check("set aside", doctor_data.set_aside, ("home",)),
    Check("spool", doctor_data.spool, ("home",)),
    Check("database", doctor_data.database, ("home", "packages")),
    Check("clock", doctor_data.clock, ("home", "lake", "database")),
    Check("sources", doctor_data.sources, ("home", "database")),
    Check("model", doctor_service.model, ("home",)),
    Check("access", doctor_service.access, ("home", "database")),
    Check("listening", doctor_service.listening, ("home", "database")),
    Check("outputs", doctor_service.outputs, ("home", "database")),
    Check("leader", doctor_service.leader, ("home", "database")),
)


def examine(site: Site, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Look at everything, in an order in which what others need comes first.

    Parameters
    ----------
    site
        What is looked at.
    checks
        Those to be made.

    Returns
    -------
    At least one finding for each check. One that cannot be made, because of what another found or because something
    unexpected happens, says so.
    """
    findings: list[Finding] = []
    for check in checks:
        failed = {finding.check for finding in findings if finding.level == "fail"}
        missing = [name for name in check.needs if name in failed]
        found = [warn(f"not looked at, because of what {missing[0]} says")] if missing else _look(check, site)
        findings.extend(Finding(check=check.name, level=f.level, told=f.told, advice=f.advice) for f in found)
    return findings


def _look(check: Check, site: Site) -> list[Found]:
    try:
        return list(check.look(site))
    except Exception as error:  # noqa: BLE001 -- whatever keeps one check from its answer is an answer, and the others go on
        lines = str(getattr(error, "orig", error)).splitlines() or [type(error).__name__]
        return [fail(lines[0])]
