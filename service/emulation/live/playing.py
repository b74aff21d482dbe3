"""Plays a plan on the engine, and removes what it made whatever happens."""

import contextlib
import http.client
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.emulation.live import images
from service.emulation.live.actions import LABEL, Action, Call, LiveError, Plan
from service.emulation.live.answers import Answers
from service.emulation.live.api import UnixConnection, request
from service.emulation.live.cleaning import clean
from service.emulation.live.registry import Registry

Told = Callable[[str], object]
GRACE = 180.0
"""Seconds beyond the plan's own after which a run is given up."""
NAMED = re.compile(r"(?<=/containers/)(?!create\b|json\b)[^/?]+|(?<=/commit\?container=)[^&]+")
"""The container that a call speaks of."""
NO_LOGIN = {"X-Registry-Auth": "e30="}
PRIVATE = 0o700


class Stopped(Exception):  # noqa: N818 -- an order, not an error
    """The operator ended the run; everything it made is removed."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; what it made is removed")
        self.number = number


class Signals:
    """Notes SIGINT and SIGTERM; the run looks at them between its steps, so that none interrupts the cleaning."""

    def __init__(self, tell: Told) -> None:
        self.asked = 0
        self.cleaning = False
        self._tell = tell
        self._woken = threading.Event()

    def note(self, number: int, _: object) -> None:
        """Take a signal."""
        if self.cleaning:
            self._tell("still removing what the emulation made; this takes seconds")
        self.asked = self.asked or number
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Wait, or raise `Stopped` as soon as a signal has arrived."""
        if seconds > 0:
            self._woken.wait(seconds)
        if self.asked:
            raise Stopped(self.asked)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take the signals while the context is open; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                # whoever was stopped only has to say so: one more signal must not take his exit status
                signal.signal(number, signal.SIG_IGN if self.asked else handler)


@dataclass
class Played:
    """What a run did: when, which containers by id and name, and what it could not remove."""

    run: str
    begin: datetime
    end: datetime | None = None
    containers: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class Player:
    """Makes a plan's calls.

    Parameters
    ----------
    plan
        What to do.
    socket
        The engine's socket.
    tell
        Told each action as it is done.
    network
        Told the id of each network as it is made.
    """

    def __init__(self, plan: Plan, socket: Path, tell: Told, network: Told = lambda _: None) -> None:
        self.plan = plan
        self.socket = socket
        self.tell = tell
        self.network = network
        self.signals = Signals(tell)
        self.played = Played(plan.run, datetime.now(UTC))
        self._held: list[tuple[float, UnixConnection]] = []
        self._own: dict[str, str] = {}

    def play(self) -> Played:
        """Do everything, then remove everything.

        Raises
        ------
        Stopped
            If SIGINT or SIGTERM arrived.
        LiveError
            If the engine refuses what the plan needs; everything is removed before.
        """
        with self.signals.taken():
            try:
                with contextlib.ExitStack() as stack:
                    self._play(stack)
            finally:
                self.signals.cleaning = True
                self._close_held(float("inf"))
                self.played.end = datetime.now(UTC)
                self.played.removed, self.played.left = clean(self.socket, self.plan.run, self.plan.folder.parent)
        return self.played

    def _play(self, stack: contextlib.ExitStack) -> None:
        plan = self.plan
        deadline = time.monotonic() + plan.seconds + GRACE
        self.signals.wait(0)
        plan.folder.mkdir(mode=PRIVATE)
        for folder in plan.folders:
            folder.mkdir(parents=True, exist_ok=True)
        if plan.registry:
            stack.enter_context(Registry(plan.folder / "registry", plan.registry))
        if plan.tls:
            plan.files |= images.certificate()
        for action in plan.setting:
            self._do(action)
            self.signals.wait(0)
            if action.name == plan.resolver and action.name:
                found = request(self.socket, "GET", f"/containers/{plan.resolver}/json")
                stack.enter_context(Answers(int(found["State"]["Pid"]), plan.zone))
        begin = time.monotonic()
        for action in plan.actions:
            self._wait_until(begin + action.at)
            if time.monotonic() > deadline:
                raise LiveError(f"{plan.scenario.id} takes longer than {plan.seconds + GRACE:.0f} s and is given up")
            self._do(action)
        self._wait_until(begin + plan.seconds)

    def _wait_until(self, moment: float) -> None:
        while True:
            now = time.monotonic()
            self._close_held(now)
            coming = min([moment, *(until for until, _ in self._held)])
            self.signals.wait(max(coming - now, 0.0))
            if coming >= moment:
                return

    def _do(self, action: Action) -> None:
        self.tell(action.words)
        if action.tag:
            self._refuse_others(f"/images/{action.tag}/json", f"the image {action.tag}", "Config")
        identity = ""
        for call in action.calls:
            answer = self._make(call, identity)
            identity = str(answer.get("Id") or identity) if isinstance(answer, dict) else identity
            if call.target == "/networks/create":
                self.network(identity)
            if "/containers/create" in call.target:
                self.played.containers[identity] = action.name
                self._own[action.name] = identity
            elif "/rename?" in call.target:
                self._own[action.name] = self._own[NAMED.findall(call.target)[0]]

    def _refuse_others(self, target: str, what: str, where: str) -> None:
        try:
            found = request(self.socket, "GET", target)
        except LookupError:
            return
        if LABEL not in ((found.get(where) or {}).get("Labels") or {}):
            raise LiveError(f"{what} is there already and not the emulation's: it is left alone")

    def _make(self, call: Call, identity: str) -> Any:  # noqa: ANN401 -- the API's own JSON
        target = NAMED.sub(lambda found: self._owned(found.group()), call.target.replace("{id}", identity))
        headers = NO_LOGIN if "/push?" in target else {}
        try:
            if call.hold:
                self._hold(call, target)
                return None
            return request(self.socket, call.method, target, call.timeout, body=self._body(call), headers=headers)
        except (LookupError, RuntimeError, TimeoutError) as error:
            if not call.may_fail:
                raise LiveError(f"the engine refuses: {error}") from error
            self.played.refused.append(str(error))
            return None

    def _owned(self, name: str) -> str:
        """Return the id of a container that this run made: by its name, another could have taken its place."""
        if name not in self._own:
            raise LiveError(f"the container {name} is not the emulation's: it is left alone")
        return self._own[name]

    def _body(self, call: Call) -> Any:  # noqa: ANN401 -- what a request takes
        if not call.image:
            return call.body
        if self.plan.base:
            return images.layer_tar(self.plan.base, self.plan.files, self.plan.run, call.image)
        return images.root_tar(self.plan.files, tls=self.plan.tls, note=f"{self.plan.run} {call.image}")

    def _hold(self, call: Call, target: str) -> None:
        """Start a session and keep it open; what is said in it is not read."""
        connection = UnixConnection(self.socket, call.timeout)
        self._held.append((time.monotonic() + call.hold, connection))
        upgrade = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        with contextlib.suppress(http.client.HTTPException):
            connection.request(call.method, target, json.dumps(call.body), upgrade)

    def _close_held(self, now: float) -> None:
        for _, connection in [held for held in self._held if held[0] <= now]:
            with contextlib.suppress(OSError):
                connection.close()
        self._held = [held for held in self._held if held[0] > now]


def may_enter_networks() -> bool:
    """Say whether this process may enter its containers' network namespaces."""
    return os.geteuid() == 0
