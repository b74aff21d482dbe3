"""How destinations are called: by the DNS answers of the whole fleet, and by what clients said to whom they reached."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Sized
from typing import Final, NamedTuple

from features.flows import domain_of
from features.http_clients import without_port
from features.online.moments import DAY, LENGTH, TRAILING_US, Moment, Row

ENTRIES: Final = 1_000_000  # of each table for the whole fleet; what comes beyond is counted as dropped and not known

Key = tuple[int, int]  # microseconds and event id: the order of events
Connection = tuple[str, str]  # workload and uid


class Contact(NamedTuple):
    """A flow as far as its destination and the trailing day need it.

    Parameters
    ----------
    external
        Whether it left; None if nothing says.
    reached
        Whether it was not refused and not left without an answer.
    alone
        Whether the address is one machine's, and not that of a group.
    """

    workload: str
    moment: Moment
    uid: str | None
    address: str
    port: int | None
    proto: str | None
    peer: str | None
    external: bool | None
    reached: bool
    alone: bool
    sent: int
    received: int

    @property
    def connection(self) -> Connection | None:
        """What tells it from other connections of the workload; None if nothing does."""
        return None if self.uid is None else (self.workload, self.uid)


class Naming:
    """What DNS answered and what clients said, for as long as a day's windows ask for it."""

    def __init__(self, dropped: Counter[str]) -> None:
        self.dropped = dropped
        self.dns_seen = False
        self._askers: dict[str, int] = {}  # workload -> last window in which its DNS was seen
        self._answers: dict[str, list[tuple[int, str]]] = {}  # address -> us and name
        self._given: dict[tuple[str, str], tuple[int, int]] = {}  # name and address -> first and last us
        self._said: dict[Connection, tuple[Key, str]] = {}
        self._opened: dict[Connection, Contact] = {}
        self._reached: dict[Connection, str] = {}  # destination, of flows whose window is forgotten
        self._said_in: dict[Connection, list[int]] = {}  # windows
        self._known: set[Connection] = set()  # those of the four
        self._noted_in: dict[int, list[Connection]] = {}

    def answer(self, row: Row, moment: Moment) -> list[str]:
        """Take a DNS event; give the addresses whose names it tells."""
        self.dns_seen = True
        if (asker := row.get("workload")) is not None:
            self._askers[asker] = max(moment.window, self._askers.get(asker, moment.window))
        name = row.get("query")
        if name is None:
            return []
        told = [address for address in row.get("answers") or () if address is not None]
        for address in told:
            if address not in self._answers and not self._room(self._answers):
                continue
            insort(self._answers.setdefault(address, []), (moment.us, name))
            if (name, address) in self._given or self._room(self._given):
                first, last = self._given.get((name, address), (moment.us, moment.us))
                self._given[name, address] = min(first, moment.us), max(last, moment.us)
        return told

    def say(self, row: Row, moment: Moment) -> Contact | None:
        """Take what a client said in TLS or HTTP; give the flow that it said it in, if that is known already."""
        workload, uid = row.get("workload"), row.get("uid")
        if workload is None or uid is None or not self._noted((workload, uid), moment):
            return None
        connection = workload, uid
        self._said_in.setdefault(connection, []).append(moment.window)
        if (name := row.get("server_name")) is not None:
            key = moment[:2]
            known = self._said.get(connection)
            if known is None or key < known[0]:
                self._said[connection] = key, without_port(name)
        return self._opened.get(connection)

    def open(self, contact: Contact) -> list[int]:
        """Take a flow; give the windows in which something was said in it, as far as that is known already."""
        connection = contact.connection
        if connection is None or not self._noted(connection, contact.moment):
            return []
        known = self._opened.get(connection)
        if connection not in self._reached and (known is None or contact.moment[:2] < known.moment[:2]):
            self._opened[connection] = contact
        return self._said_in.get(connection, [])

    def destination(self, contact: Contact) -> str:
        """Name whom a flow reached: the workload, else the registered domain, else the address."""
        if contact.peer is not None:
            return contact.peer
        name = self._resolved(contact.address, contact.moment.us)
        domain = None if name is None else domain_of(name)
        # A name that only the client gave may be borrowed: it names the destination only where no DNS is seen at all.
        if domain is None and not self.dns_seen and (said := self._first_said(contact)) is not None:
            domain = domain_of(said)
        return contact.address if domain is None else domain

    def destination_of(self, workload: str, uid: str | None) -> str | None:
        """Name whom the first flow of a workload's connection reached; None if there is none."""
        if uid is None:
            return None
        contact = self._opened.get((workload, uid))
        return self._reached.get((workload, uid)) if contact is None else self.destination(contact)

    def borrowed(self, contact: Contact) -> str | None:
        """Give the name said to an address outside for which DNS, where the workload's is seen, had not given it."""
        said = self._first_said(contact)
        if not contact.external or said is None or said == contact.address or contact.workload not in self._askers:
            return None
        given = self._given.get((said, contact.address))
        return said if given is None or given[0] > contact.moment.us else None

    def asks(self, workload: str) -> bool:
        """Say whether a workload's DNS is seen."""
        return workload in self._askers

    def forget(self, before: int) -> None:
        """Drop what no window from `before` on can ask for."""
        self._settle(before)
        start = before * LENGTH
        oldest = start - TRAILING_US
        for address, answers in list(self._answers.items()):
            del answers[: max(bisect_left(answers, (start,)) - 1, 0)]
            if answers[-1][0] < oldest:
                del self._answers[address]
        for pair in [pair for pair, (_, last) in self._given.items() if last < oldest]:
            del self._given[pair]
        for workload in [workload for workload, window in self._askers.items() if window < before - DAY]:
            del self._askers[workload]
        for connection in self._outdated(before - DAY):
            self._known.discard(connection)
            for table in (self._said, self._reached):
                table.pop(connection, None)

    def _settle(self, before: int) -> None:
        """Name destinations of forgotten windows for good, while the answers that name them are known."""
        for connection, contact in list(self._opened.items()):
            if contact.moment.window < before:
                self._reached[connection] = self.destination(contact)
                del self._opened[connection]
        for connection, windows in list(self._said_in.items()):
            windows[:] = [window for window in windows if window >= before]
            if not windows:
                del self._said_in[connection]

    def _first_said(self, contact: Contact) -> str | None:
        """Give the host that the client first named within a connection, without its port."""
        said = None if contact.connection is None else self._said.get(contact.connection)
        return None if said is None else said[1]

    def _resolved(self, address: str, us: int) -> str | None:
        answers = self._answers.get(address)
        if not answers:
            return None
        at = bisect_left(answers, (us + 1,)) - 1
        return answers[at][1] if at >= 0 and us - answers[at][0] <= TRAILING_US else None

    def _noted(self, connection: Connection, moment: Moment) -> bool:
        """Note when a connection is forgotten; False if there is no room for it."""
        if connection in self._known:
            return True
        if not self._room(self._known):
            return False
        self._known.add(connection)
        self._noted_in.setdefault(moment.window, []).append(connection)
        return True

    def _outdated(self, before: int) -> Iterator[Connection]:
        for window in [window for window in self._noted_in if window < before]:
            yield from self._noted_in.pop(window)

    def _room(self, table: Sized) -> bool:
        if len(table) < ENTRIES:
            return True
        self.dropped["names"] += 1
        return False
