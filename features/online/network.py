"""Where a workload talks to, how much, and how regularly: `features.extractors.network` while flows come in."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from features.addresses import is_group
from features.extractors.network import BEACON, DRIP_HOURS, DRIP_RATIO, INTERNAL_BEACON
from features.leases import FAILED
from features.online.calls import Calls, Tails, strengths
from features.online.moments import DAY, LENGTH, Moment, Row
from features.online.naming import Contact, Naming
from features.online.per_window import Found, PerWindow
from features.online.trail import Capped, Sums

Edge = tuple[str, bool]  # destination with port, and whether it lies outside
HOUR = 6  # windows
BARS = {True: ("network.beacon", BEACON), False: ("network.internal_beacon", INTERNAL_BEACON)}


@dataclass(slots=True)
class Traffic:
    """The flows of one window."""

    contacts: list[Contact] = field(default_factory=list)
    tried: set[tuple[str, int | None]] = field(default_factory=set)
    longest: float = 0.0
    named: bool = False
    items: dict[tuple[str, str], int] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


class Network:
    """Flows of workloads, as originators and as responders."""

    def __init__(self, naming: Naming, windows: PerWindow[Found], dropped: Counter[str]) -> None:
        self._naming = naming
        self._windows = windows
        self._traffic: PerWindow[Traffic] = PerWindow(Traffic)
        self._unnamed: dict[str, set[int]] = {}
        self._talkers: dict[str, dict[int, set[str]]] = {}
        self._told = -1  # the latest window whose destinations were named
        self._sums = Sums(dropped)
        self._calls: dict[str, dict[Edge, Calls]] = {}
        self._capped = Capped(dropped)

    def serve(self, row: Row, moment: Moment) -> None:
        """Take a flow on the side of the workload that it reached."""
        found = self._windows.at(row["peer"], moment.window)
        found.count("network.served")
        workload = row.get("workload")
        found.meet("network.new_client", row.get("src_ip") if workload is None else workload)

    def add(self, row: Row, moment: Moment) -> Contact:
        """Take a flow on the side of the workload that opened it."""
        contact = _contact(row, moment)
        found = self._windows.at(contact.workload, moment.window)
        traffic = self._traffic.at(contact.workload, moment.window)
        traffic.contacts.append(contact)
        traffic.tried.add((contact.address, contact.port))
        if contact.external:
            traffic.longest = max(traffic.longest, row.get("duration") or 0.0)
        found.count("network.connections")
        found.count("network.bytes_out", contact.sent)
        found.count("network.bytes_in", contact.received)
        found.count("network.external_bytes_out", contact.sent if contact.external else 0.0)
        found.count("network.failed", row.get("conn_state") in FAILED)
        if contact.external and contact.reached and contact.port is not None and contact.proto is not None:
            found.meet("network.new_port", f"{contact.port}/{contact.proto}")
        self._talkers.setdefault(contact.address, {}).setdefault(moment.window, set()).add(contact.workload)
        self.rename(contact.workload, moment.window)
        return contact

    def contacts(self, workload: str, window: int) -> list[Contact]:
        """Give the flows that a workload opened in an open window."""
        traffic = self._traffic.get(workload, window)
        return traffic.contacts if traffic else []

    def rename(self, workload: str, window: int) -> None:
        """Take it that destinations of a window may be called otherwise than before."""
        if (traffic := self._traffic.get(workload, window)) is not None:
            traffic.named = False
            self._unnamed.setdefault(workload, set()).add(window)

    def renamed(self, addresses: list[str], since: int) -> list[tuple[str, int]]:
        """Take new answers for addresses from a window on; give the windows already told of that talked to them."""
        if since > self._told:
            return []
        changed = [
            (workload, window)
            for address in addresses
            for window, workloads in self._talkers.get(address, {}).items()
            if window >= since
            for workload in workloads
        ]
        for workload, window in changed:
            self.rename(workload, window)
        return changed

    def rename_all(self) -> list[tuple[str, int]]:
        """Take it that every destination may be called otherwise; give all open windows."""
        changed = [(workload, window) for workload, window, _ in self._traffic.within(0, self._told + 1)]
        for workload, window in changed:
            self.rename(workload, window)
        return changed

    def tell(self, workload: str, window: int, found: Found) -> None:
        """Add what hangs on the names of destinations, and what the day up to this window adds up to."""
        traffic = self._traffic.get(workload, window)
        if traffic is None:
            return
        found.values["network.longest"] = traffic.longest
        found.values["network.fan_out"] = float(len(traffic.tried))
        found.items |= traffic.items
        for destination in traffic.outside:
            if self._drips(workload, destination, window):
                found.meet("network.drip", destination)

    def tell_beacons(self, told: Mapping[tuple[str, int], Found]) -> None:
        """Add the edges that are called regularly to windows, all at once."""
        often: list[tuple[Found, Edge]] = []
        latest: list[tuple[float, Tails]] = []
        for (workload, window), found in told.items():
            traffic, calls = self._traffic.get(workload, window), self._calls.get(workload, {})
            for edge in traffic.edges if traffic else ():
                if edge in calls and (called := calls[edge].latest(window)) is not None:
                    often.append((found, edge))
                    latest.append(called)
        for (found, (name, outside)), bits in zip(often, strengths(latest), strict=True):
            feature, bar = BARS[outside]
            if bits >= bar:
                found.meet(feature, name)

    def forget(self, before: int) -> None:
        """Name what lies before a window for good, and drop what its day no longer asks for."""
        for workload, window, _ in self._traffic.within(0, before):
            self.name(workload, window)
        self._traffic.forget(before)
        self._sums.forget(before - DAY)
        for address, talkers in list(self._talkers.items()):
            for window in [window for window in talkers if window < before]:
                del talkers[window]
            if not talkers:
                del self._talkers[address]
        oldest = (before - DAY) * LENGTH / 1e6  # seconds
        for workload, edges in list(self._calls.items()):
            for edge, calls in list(edges.items()):
                if not calls.close(before, oldest):
                    del edges[edge]
                    self._capped.release(workload)
            if not edges:
                del self._calls[workload]

    def _drips(self, workload: str, destination: str, window: int) -> bool:
        day = list(self._sums.day(workload, destination, window))
        hours = {met // HOUR for met, _ in day}
        sent, received = (sum(amounts[way] for _, amounts in day) for way in (0, 1))
        return len(hours) >= DRIP_HOURS and sent > DRIP_RATIO * received

    def name(self, workload: str, until: int) -> None:
        """Call the destinations of open windows up to one by their names: before anything is told of them."""
        self._told = max(self._told, until)
        unnamed = self._unnamed.get(workload)
        if not unnamed:
            return
        for window in [window for window in unnamed if window <= until]:
            unnamed.discard(window)
            self._summarise(workload, window, self._traffic.at(workload, window))
        if not unnamed:
            del self._unnamed[workload]

    def _summarise(self, workload: str, window: int, traffic: Traffic) -> None:
        self._take_back(workload, window, traffic)
        met: Counter[tuple[str, str]] = Counter()
        sums: dict[str, tuple[int, int]] = {}
        calls: dict[Edge, list[float]] = {}
        for contact in traffic.contacts:
            destination = self._naming.destination(contact)
            edge = _edge(destination, contact)
            met["network.new_destination", destination] += 1
            if contact.reached:
                met["network.new_edge", edge] += 1
            if contact.external:
                sent, received = sums.get(destination, (0, 0))
                sums[destination] = sent + contact.sent, received + contact.received
            if contact.external is not None and (contact.external or contact.alone):
                calls.setdefault((edge, contact.external), []).append(contact.moment.us / 1e6)
        for destination, amounts in sums.items():
            self._sums.put(workload, destination, window, amounts)
        for called, times in calls.items():
            if (known := self._called(workload, called)) is not None:
                known.put(window, times)
        traffic.items, traffic.outside, traffic.edges, traffic.named = dict(met), list(sums), list(calls), True

    def _take_back(self, workload: str, window: int, traffic: Traffic) -> None:
        for destination in traffic.outside:
            self._sums.take_back(workload, destination, window)
        for edge in traffic.edges:
            if (calls := self._calls.get(workload, {}).get(edge)) is not None:
                calls.put(window, ())

    def _called(self, workload: str, edge: Edge) -> Calls | None:
        edges = self._calls.setdefault(workload, {})
        if edge not in edges and self._capped.admit(workload):
            edges[edge] = Calls()
        return edges.get(edge)


def _contact(row: Row, moment: Moment) -> Contact:
    state, address = row.get("conn_state"), row["dst_ip"]
    return Contact(
        workload=row["workload"],
        moment=moment,
        uid=row.get("uid"),
        address=address,
        port=row.get("dst_port"),
        proto=row.get("proto"),
        peer=row.get("peer"),
        external=row.get("external"),
        reached=state is None or state not in FAILED,
        alone=not is_group(address),
        sent=row.get("bytes_out") or 0,
        received=row.get("bytes_in") or 0,
    )


def _edge(destination: str, contact: Contact) -> str:
    if contact.port is None or contact.proto == "icmp":
        return f"{destination} {'ip' if contact.proto is None else contact.proto}"
    return f"{destination}:{contact.port}"
