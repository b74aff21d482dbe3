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


class Naming:
    """What DNS answered and what clients said, for as long as a day's windows ask for it."""

    def __init__(self, dropped: Counter[str]) -> None:
        self.dropped = dropped
        self.dns_seen = False
        self._askers: dict[str, int] = {}  # workload -> last window in which its DNS was seen
        self._answers: dict[str, list[tuple[int, int, int, str]]] = {}  # address -> us, event id, place, name
        self._given: dict[tuple[str, str], tuple[int, int]] = {}  # name and address -> first and last us
        self._said: dict[str, tuple[Key, str]] = {}
        self._opened: dict[str, Contact] = {}
        self._reached: dict[str, str] = {}  # uid -> destination, of flows whose window is forgotten
        self._sayers: dict[str, list[tuple[str, int]]] = {}  # uid -> workload and window of what was said
        self._known: set[str] = set()  # uids of the three
        self._noted_in: dict[int, list[str]] = {}

    def answer(self, row: Row, moment: Moment) -> list[str]:
        """Take a DNS event; give the addresses whose names it tells."""
        self.dns_seen = True
        if (asker := row.get("workload")) is not None:
            self._askers[asker] = max(moment.window, self._askers.get(asker, moment.window))
        name = row.get("query")
        if name is None:
            return []
        told = [address for address in row.get("answers") or () if address is not None]
        for place, address in enumerate(told):
            if address not in self._answers and not self._room(self._answers):
                continue
            insort(self._answers.setdefault(address, []), (moment.us, moment.event_id, place, name))
            if (name, address) in self._given or self._room(self._given):
                first, last = self._given.get((name, address), (moment.us, moment.us))
                self._given[name, address] = min(first, moment.us), max(last, moment.us)
        return told

    def say(self, row: Row, moment: Moment) -> Contact | None:
        """Take what a client said in TLS or HTTP; give the flow that it said it in, if that is known already."""
        uid = row.get("uid")
        if uid is None or not self._noted(uid, moment):
            return None
        if (workload := row.get("workload")) is not None:
            self._sayers.setdefault(uid, []).append((workload, moment.window))
        if (name := row.get("server_name")) is not None:
            key = moment[:2]
            known = self._said.get(uid)
            if known is None or key < known[0]:
                self._said[uid] = key, without_port(name)
        return self._opened.get(uid)

    def open(self, contact: Contact) -> list[tuple[str, int]]:
        """Take a flow; give workload and window of what was said in it, as far as that is known already."""
        uid = contact.uid
        if uid is None or not self._noted(uid, contact.moment):
            return []
        known = self._opened.get(uid)
        if uid not in self._reached and (known is None or contact.moment[:2] < known.moment[:2]):
            self._opened[uid] = contact
        return self._sayers.get(uid, [])

    def destination(self, contact: Contact) -> str:
        """Name whom a flow reached: the workload, else the registered domain, else the address."""
        if contact.peer is not None:
            return contact.peer
        name = self._resolved(contact.address, contact.moment.us)
        domain = None if name is None else domain_of(name)
        # A name that only the client gave may be borrowed: it names the destination only where no DNS is seen at all.
        if domain is None and not self.dns_seen and (said := self.said(contact.uid)) is not None:
            domain = domain_of(said)
        return contact.address if domain is None else domain

    def destination_of(self, uid: str | None) -> str | None:
        """Name whom the first flow of a connection reached; None if there is none."""
        if uid is None:
            return None
        contact = self._opened.get(uid)
        return self._reached.get(uid) if contact is None else self.destination(contact)

    def said(self, uid: str | None) -> str | None:
        """Give the host that a client first named within a connection, without its port."""
        said = None if uid is None else self._said.get(uid)
        return None if said is None else said[1]

    def borrowed(self, contact: Contact) -> str | None:
        """Give the name said to an address outside for which DNS, where the workload's is seen, had not given it."""
        said = self.said(contact.uid)
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
        for uid in self._old_uids(before - DAY):
            self._known.discard(uid)
            for table in (self._said, self._reached):
                table.pop(uid, None)

    def _settle(self, before: int) -> None:
        """Name destinations of forgotten windows for good, while the answers that name them are known."""
        for uid, contact in list(self._opened.items()):
            if contact.moment.window < before:
                self._reached[uid] = self.destination(contact)
                del self._opened[uid]
        for uid, sayers in list(self._sayers.items()):
            sayers[:] = [sayer for sayer in sayers if sayer[1] >= before]
            if not sayers:
                del self._sayers[uid]

    def _resolved(self, address: str, us: int) -> str | None:
        answers = self._answers.get(address)
        if not answers:
            return None
        at = bisect_left(answers, (us + 1,)) - 1
        return answers[at][3] if at >= 0 and us - answers[at][0] <= TRAILING_US else None

    def _noted(self, uid: str, moment: Moment) -> bool:
        """Note when a connection is forgotten; False if there is no room for it."""
        if uid in self._known:
            return True
        if not self._room(self._known):
            return False
        self._known.add(uid)
        self._noted_in.setdefault(moment.window, []).append(uid)
        return True

    def _old_uids(self, before: int) -> Iterator[str]:
        for window in [window for window in self._noted_in if window < before]:
            yield from self._noted_in.pop(window)

    def _room(self, table: Sized) -> bool:
        if len(table) < ENTRIES:
            return True
        self.dropped["names"] += 1
        return False
