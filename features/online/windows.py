"""Windows while events come in: what is known of them is kept, and their features are told when they are asked for."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from features.events import EPOCH
from features.online.config import Config
from features.online.control import Control
from features.online.impersonation import Impersonation
from features.online.lookups import Lookups
from features.online.moments import Moment, Row, moment_of, number, start_of
from features.online.naming import Naming
from features.online.network import Network
from features.online.per_window import Found, PerWindow
from features.online.pulls import Pulls
from features.online.rollouts import Rollouts
from features.online.silence import Lives, Spoken
from features.protocols import specs
from features.windows import FACTS_SCHEMA, ITEMS_SCHEMA, KEY, VALUES_SCHEMA, WINDOW, Windows

LATENESS: Final = 6  # windows: events up to an hour before the last close reopen theirs
EVENTS: Final = 100_000  # of a workload in a window; what comes beyond is counted as dropped and not looked at
FEW: Final = 1_000  # events up to which this path is the cheaper one, even where each value is new
LIFE = ("lifecycle", "exec")
Key = tuple[str, int]  # workload and window


class OnlineWindows:
    """The windows of attributed events that come in one by one, or some at a time, in any order.

    What `features.windows.extract` gives of all events that were added, `between` and `features` give of every window
    that is not forgotten: counts and items exactly. A window is forgotten once `close` has gone an hour past its end;
    what it adds to the trailing day of later windows is kept for that long.

    Attributes
    ----------
    dropped
        What was left out: `late` events of windows that are forgotten; `events` beyond `EVENTS` of a workload in a
        window; `subjects` (destinations, edges, names) beyond `features.online.trail.SUBJECTS` of a workload in a day;
        `names` beyond `features.online.naming.ENTRIES` addresses or connections of the fleet in a day.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._windows: PerWindow[Found] = PerWindow(Found)
        self._events: Counter[Key] = Counter()
        self._facts: dict[str, tuple[tuple[int, int], str]] = {}
        self._closed = 0
        self._forgotten = 0
        self._reopened: dict[str, int] = {}
        self._given: set[Key] = set()
        self._naming = Naming(self.dropped)
        self._network = Network(self._naming, self._windows, self.dropped)
        self._impersonation = Impersonation(self._naming, self._windows)
        self._lookups = Lookups(self._windows, self.dropped)
        self._rollouts = Rollouts()
        self._config = Config(self._windows, self._rollouts)
        self._spoken, self._lives = Spoken(), Lives()
        self._control = Control(self._windows, self._spoken, self._lives)
        self._pulls = Pulls(self._windows)

    def add(self, events: Iterable[Row]) -> None:
        """Take attributed events (`features.leases.attribute`), in any order; columns left out are taken as null."""
        together: dict[str, list[tuple[Row, Moment]]] = {"config": [], "exec": [], "audit": []}
        for row in events:
            moment = moment_of(row)
            if moment.window < self._forgotten:
                self.dropped["late"] += 1
                continue
            workload, kind = row.get("workload"), row["kind"]
            if not self._admit(workload or "", moment.window):
                continue
            if kind in _TRAFFIC:
                self._take_traffic(row, kind, workload, moment)
            elif workload is not None:
                self._take_control(row, kind, moment)
                if kind in together:
                    together[kind].append((row, moment))
        self._config.snapshots(together["config"])
        self._control.run(together["exec"])
        self._control.request(together["audit"])

    def features(self, workload: str, window_start: datetime) -> Windows:
        """Give the features of one window, over or not, as far as its events have come; no row if it has none."""
        window = number(window_start)
        return self._tables([(workload, window)])

    def between(self, since: datetime, until: datetime) -> Windows:
        """Give the features of the windows that start in since <= t < until and are not forgotten.

        What is told of a silence is told up to `until`, which should not lie beyond what events have told of time.
        """
        return self._tables(self._told(number(since), number(until)))

    def close(self, until: datetime) -> Windows:
        """Give the features of windows that end at or before `until` and were not given yet, or may have changed since.

        An hour before `until` they are forgotten. A window that late events leave with nothing to tell of, as a
        silence that was none, is given without values and items.
        """
        end = number(until)
        told = [
            (workload, window)
            for workload, window in self._told(min(self._reopened.values(), default=self._closed), end)
            if window >= self._reopened.get(workload, self._closed)
        ]
        voided = self._voided()
        tables = self._tables({*told, *voided}, voided)
        self._given |= {(workload, number(start)) for workload, start in tables.values.select(KEY).rows()}
        self._closed = max(self._closed, end)
        self._reopened = {}
        if self._closed - LATENESS > self._forgotten:
            self._forget(self._closed - LATENESS)
        return tables

    def _admit(self, workload: str, window: int) -> bool:
        self._reopen(workload, window)
        self._events[workload, window] += 1
        if self._events[workload, window] <= EVENTS:
            return True
        self.dropped["events"] += 1
        return False

    def _reopen(self, workload: str, window: int) -> None:
        if window < self._closed:
            self._reopened[workload] = min(window, self._reopened.get(workload, window))

    def _take_traffic(self, row: Row, kind: str, workload: str | None, moment: Moment) -> None:
        if kind == "flow":
            self._take_flow(row, workload, moment)
        elif kind == "dns":
            self._take_answers(row, workload, moment)
            if workload is not None and row.get("query") is not None:
                self._lookups.add(row, moment)
        else:
            contact = self._naming.say(row, moment)
            if contact is not None:
                self._network.rename(contact.workload, contact.moment.window)
                self._reopen(contact.workload, contact.moment.window)
            if workload is not None:
                (self._impersonation.tls if kind == "tls" else self._impersonation.http)(row, moment)

    def _take_flow(self, row: Row, workload: str | None, moment: Moment) -> None:
        peer = row.get("peer")
        if peer is not None:
            self._reopen(peer, moment.window)
            self._network.serve(row, moment)
        if workload is None:
            return
        self._spoken.add(workload, moment.window)
        if row.get("dst_ip") is not None:
            contact = self._network.add(row, moment)
            self._impersonation.flow(row, contact)
            for said_in in self._naming.open(contact):
                self._reopen(workload, said_in)

    def _take_answers(self, row: Row, workload: str | None, moment: Moment) -> None:
        first, asked = not self._naming.dns_seen, workload is None or self._naming.asks(workload)
        addresses = self._naming.answer(row, moment)
        # With the first DNS of all, what clients say names no destination any more.
        changed = self._network.rename_all() if first else self._network.renamed(addresses, moment.window)
        for told in changed:
            self._reopen(*told)
        if workload is not None and not asked:  # its clients may have borrowed names all the while
            self._reopen(workload, self._forgotten)

    def _take_control(self, row: Row, kind: str, moment: Moment) -> None:
        self._pulls.add(row, moment)
        self._rollouts.add(row, moment)
        if kind in LIFE:
            self._control.act(row, moment)
        if kind == "lifecycle":
            self._config.live(row, moment)
            self._lives.add(row, moment)
        image = row.get("image_repository")
        if image is not None and kind in ("config", "lifecycle"):
            known = self._facts.get(row["workload"])
            if known is None or known[0] < moment[:2]:
                self._facts[row["workload"]] = moment[:2], image

    def _voided(self) -> set[Key]:
        """List what was given of reopened windows."""
        return {key for key in self._given if key[1] >= self._reopened.get(key[0], self._closed)}

    def _told(self, since: int, until: int) -> Sequence[Key]:
        heard = [(workload, window) for workload, window, _ in self._windows.within(since, until)]
        return [*{*heard, *self._spoken.silent(since, until), *self._lives.due(since, until)}]

    def _tell(self, workload: str, window: int) -> Found:
        known = self._windows.get(workload, window)
        found = Found() if known is None else known.copy()
        for family in (self._network, self._lookups, self._config, self._control):
            family.tell(workload, window, found)
        self._impersonation.tell(workload, window, self._network.contacts(workload, window), found)
        return found

    def _tables(self, told: Collection[Key], always: Collection[Key] = ()) -> Windows:
        keys = sorted(told)
        for workload, window in dict(keys).items():  # the last window of each workload
            self._network.name(workload, window)
        by_key = {key: self._tell(*key) for key in keys}
        self._network.tell_beacons(by_key)
        found = [
            (workload, start_of(window), window_found)
            for (workload, window), window_found in by_key.items()
            if window_found or (workload, window) in always
        ]
        numbers = [spec.name for spec in specs().values() if spec.kind != "items"]
        values = {
            "workload": [workload for workload, _, _ in found],
            "window_start": [start for _, start, _ in found],
        } | {name: [window.values.get(name) for _, _, window in found] for name in numbers}
        items = [
            (workload, start, *item, times)
            for workload, start, window in found
            for item, times in sorted(window.items.items())
        ]
        facts = sorted((workload, image) for workload, (_, image) in self._facts.items())
        return Windows(
            pl.DataFrame(values, VALUES_SCHEMA | dict.fromkeys(numbers, pl.Float64())),
            pl.DataFrame(items, ITEMS_SCHEMA, orient="row"),
            pl.DataFrame(facts, FACTS_SCHEMA, orient="row"),
        )

    def _forget(self, before: int) -> None:
        self._forgotten = before
        for family in (self._network, self._impersonation, self._lookups, self._config, self._control, self._naming):
            family.forget(before)
        self._windows.forget(before)
        self._given = {key for key in self._given if key[1] >= before}
        for key in [key for key in self._events if key[1] < before]:
            del self._events[key]


_TRAFFIC = ("flow", "dns", "tls", "http")


def extract_few(events: pl.DataFrame) -> Windows:
    """Compute every feature of every window as `features.windows.extract` does, sooner for up to `FEW` events.

    Parameters
    ----------
    events
        Attributed events, in any order; columns left out are taken as null.
    """
    windows = OnlineWindows()
    if events.is_empty():
        return windows.between(EPOCH, EPOCH)
    windows.add(events.select(told for told in events if told.null_count() < len(events)).rows(named=True))
    times = events["ts"].to_list()
    return windows.between(min(times), max(times) + WINDOW)
