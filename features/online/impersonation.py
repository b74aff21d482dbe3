"""Protocols that are not what they seem to be: `features.extractors.impersonation` while events come in."""

from dataclasses import dataclass, field
from typing import NamedTuple

from features.flows import EXPECTED_SERVICE
from features.http_clients import agent_profile, path_profile, without_port
from features.online.moments import Moment, Row
from features.online.naming import Contact, Naming
from features.online.per_window import Found, PerWindow

KNOWN_SERVICES = frozenset(EXPECTED_SERVICE.values())


class Faulty(NamedTuple):
    """A TLS connection with a fault, whose destination is still to be named."""

    fault: str
    uid: str | None
    address: str | None


@dataclass(slots=True)
class Sayings:
    """The faults of one window."""

    faulty: list[Faulty] = field(default_factory=list)


class Impersonation:
    """Protocol against port, name against address, and the profile of a workload's TLS and HTTP clients."""

    def __init__(self, naming: Naming, windows: PerWindow[Found]) -> None:
        self._naming = naming
        self._windows = windows
        self._sayings: PerWindow[Sayings] = PerWindow(Sayings)

    def flow(self, row: Row, contact: Contact) -> None:
        """Take a flow that a workload opened."""
        self._windows.at(contact.workload, contact.moment.window).meet("network.impersonation", _mismatch(row, contact))

    def tls(self, row: Row, moment: Moment) -> None:
        """Take a TLS connection of a workload."""
        found = self._said(row, moment)
        fault = _fault(row)
        if fault is not None:
            faulty = Faulty(fault, row.get("uid"), row.get("dst_ip"))
            self._sayings.at(row["workload"], moment.window).faulty.append(faulty)
        found.heard = True

    def http(self, row: Row, moment: Moment) -> None:
        """Take an HTTP request of a workload."""
        found = self._said(row, moment)
        name, address = row.get("server_name"), row.get("dst_ip")
        if row.get("external") and name is not None and without_port(name) == address:
            found.meet("network.bare_address", address)
        agent, method, uri = row.get("user_agent"), row.get("method"), row.get("uri")
        found.meet("network.new_user_agent", None if agent is None else agent_profile(agent))
        if method is not None and uri is not None:
            found.meet("network.new_request", f"{method} {path_profile(uri)}")

    def tell(self, workload: str, window: int, contacts: list[Contact], found: Found) -> None:
        """Add what hangs on the names of destinations."""
        sayings = self._sayings.get(workload, window)
        for fault, uid, address in sayings.faulty if sayings else ():
            reached = self._naming.destination_of(workload, uid)
            destination = address if reached is None else reached
            found.meet("network.bare_tls", None if destination is None else fault + destination)
        for contact in contacts:
            if (name := self._naming.borrowed(contact)) is not None:
                found.meet("network.borrowed_name", f"{name} at {contact.address}")

    def forget(self, before: int) -> None:
        """Drop what lies before a window."""
        self._sayings.forget(before)

    def _said(self, row: Row, moment: Moment) -> Found:
        found = self._windows.at(row["workload"], moment.window)
        found.heard = True
        fingerprint = row.get("ja4")
        found.meet("network.new_fingerprint", row.get("ja3") if fingerprint is None else fingerprint)
        return found


def _fault(row: Row) -> str | None:
    if row.get("server_name") is None:
        return "without a server name to "
    return "never completed with " if row.get("established") is False else None


def _mismatch(row: Row, contact: Contact) -> str | None:
    """Say what a flow spoke where its port lets expect something else; None if nothing."""
    both = contact.proto == "tcp" and contact.sent > 0 and contact.received > 0
    if not both and contact.proto != "udp":
        return None
    service = row.get("service")
    spoken = "something unknown" if service is None else service
    expected = None if contact.port is None else EXPECTED_SERVICE.get(contact.port)
    port = "" if contact.port is None else contact.port
    if expected is None:
        foreign = contact.external and spoken in KNOWN_SERVICES
        return f"{spoken} on port {port}/{contact.proto}" if foreign else None
    if expected in spoken:
        return None
    return f"{spoken} on port {port}/{contact.proto} where {expected} is expected"
