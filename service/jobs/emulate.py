"""Plays a scenario on the operator's own Docker host, and tells whether and when it was detected."""

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import msgspec
import polars as pl

from features.ingest import events_from_records
from features.windows import WINDOW, floor_window
from models.scores import Score
from service.emulation.live import images, registry
from service.emulation.live.actions import LiveError, Plan
from service.emulation.live.api import request
from service.emulation.live.cleaning import clean
from service.emulation.live.planner import plan
from service.emulation.live.playing import Played, Player, Signals, may_enter_networks
from service.emulation.live.record import Recorder
from service.emulation.live.stage import Options
from service.emulation.scenario import Variant, library
from service.jobs.errors import JobError
from service.jobs.score import model, score_records
from service.storage import MAX_LIMIT
from service.wiring import Home

SOCKET = Path("/var/run/docker.sock")
BLOCKS = [ip_network(f"198.51.100.{block * 32}/27") for block in range(8)]
PATIENCE = 60.0
"""Seconds within which a collector's first event should have arrived."""
POLL_SECONDS = 5.0
Told = Callable[[str], object]


@dataclass(frozen=True)
class Detection:
    """What the home knows of a run.

    Parameters
    ----------
    events
        How many events of the run's containers have arrived in the lake.
    workloads
        The workloads that its stand-ins are known as.
    scores
        Their scores in the span of the run, by time; without those of the sinks.
    """

    events: int
    workloads: tuple[str, ...] = ()
    scores: tuple[Score, ...] = field(default=())

    @property
    def strongest(self) -> Score | None:
        """The strangest window of the run."""
        return max(self.scores, key=lambda score: score.bits, default=None)

    @property
    def first(self) -> Score | None:
        """The first window that was strange enough to be told of."""
        return next((score for score in self.scores if score.severity in {"high", "critical"}), None)


def prepare(
    scenario: str,
    variant: Variant,
    run: str,
    *,
    engine: Path = SOCKET,
    minutes: float = 10.0,
    faster: float = 1.0,
    privileged: bool = False,
    image: str = "",
) -> Plan:
    """Make the plan of a scenario for this host.

    Raises
    ------
    JobError
        If there is no such scenario, it cannot be played live, or the host lacks what it needs.
    """
    found = library().get(scenario)
    if found is None:
        raise JobError(f"there is no scenario {scenario} (wharfinger emulate lists them)")
    options = Options(
        minutes=minutes,
        faster=faster,
        privileged=privileged,
        image=image,
        registry=registry.free_port() if registry.available() else 0,
        block=_free_block(engine),
        root=may_enter_networks(),
        tls=images.openssl() is not None and not image,
    )
    try:
        return plan(found, variant, run, options)
    except LiveError as error:
        raise JobError(str(error)) from error


def _free_block(engine: Path) -> int:
    """Return which of the blocks for the world outside no network of the engine has; the first where none answers."""
    taken = []
    with contextlib.suppress(OSError, RuntimeError, LookupError):
        for network in request(engine, "GET", "/networks", timeout=5) or []:
            for config in (network.get("IPAM") or {}).get("Config") or []:
                with contextlib.suppress(ValueError):
                    taken.append(ip_network(config.get("Subnet", ""), strict=False))
    free = (n for n, block in enumerate(BLOCKS) if not any(block.overlaps(t) for t in taken if t.version == 4))  # noqa: PLR2004
    return next(free, 0)


def play(planned: Plan, engine: Path, tell: Told, record: Path | None = None) -> Played:
    """Play a plan; everything it makes is removed before this returns, however it ends.

    Raises
    ------
    JobError
        If the engine does not answer, or refuses what the plan needs.
    Stopped
        If SIGINT or SIGTERM arrived.
    """
    _answering(engine)
    if planned.base:
        _present(engine, planned.base)
    elif images.busybox() is None:
        raise JobError("no static busybox to make images of (Debian: busybox-static; or name an image with --image)")
    try:
        if record is None:
            return Player(planned, engine, tell).play()
        made = {*planned.images, *(action.tag for action in planned.actions if action.tag)}
        with Recorder(engine, record, socket.gethostname(), made) as recorder:
            played = Player(planned, engine, tell, recorder.network).play()
        for note in dict.fromkeys(recorder.notes):
            tell(note)
    except LiveError as error:
        raise JobError(str(error)) from error
    return played


def clean_up(engine: Path) -> tuple[list[str], list[str]]:
    """Remove what any run has left, and return what is gone and what is not.

    Raises
    ------
    JobError
        If the engine does not answer.
    """
    _answering(engine)
    return clean(engine)


def _answering(engine: Path) -> None:
    try:
        request(engine, "GET", "/_ping", timeout=5)
    except (OSError, RuntimeError, LookupError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or error
        raise JobError(
            f"no Docker Engine answers at {engine}: {why} (start it, or name its socket with --socket)"
        ) from error


def _present(engine: Path, image: str) -> None:
    try:
        request(engine, "GET", f"/images/{image}/json")
    except LookupError:
        raise JobError(f"the image {image} is not on this host, and nothing is pulled") from None


def detection(home: Home, played: Played) -> Detection:
    """Look up what has arrived of a run, and how it was scored."""
    since, until = _span(played)
    rows = home.lake.read(since, until, columns=["container_id", "container_name", "workload"])
    events, workloads = _known_as(rows, played)
    scores = [score for workload in workloads for score in _scores(home, workload, since, until)]
    return Detection(events, workloads, tuple(sorted(scores, key=lambda score: score.window_start)))


def judged(home: Home, played: Played, folder: Path) -> Detection:
    """Score what was recorded of a run as if its windows were closed; nothing is stored.

    Raises
    ------
    JobError
        If there is no model yet.
    """
    detector = model(home)
    lines = [line for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines()]
    records = [msgspec.json.decode(line) for line in lines]
    events, workloads = _known_as(events_from_records(records, ref="recorded").events, played)
    scores, _ = score_records(detector, records, host=None, settings=home.settings)
    first = f"{_span(played)[0]:%Y-%m-%dT%H:%M:%SZ}"
    own = [score for score in scores if score.workload in workloads and score.window_start >= first]
    return Detection(events, workloads, tuple(own))


def _span(played: Played) -> tuple[datetime, datetime]:
    end = played.end or played.begin + timedelta(days=1)
    return floor_window(played.begin), floor_window(end) + WINDOW


def _known_as(rows: pl.DataFrame, played: Played) -> tuple[int, tuple[str, ...]]:
    """Count the events of a run's containers, and name its workloads but for those of the sinks."""
    sinks = f"wharfinger-{played.run}-"
    named = [name for name in played.containers.values() if not name.startswith(sinks)]
    rows = rows.filter(pl.col("container_id").is_in(list(played.containers)))
    own = rows.filter(pl.col("container_name").is_in(named))
    return rows.height, tuple(sorted(set(own["workload"].drop_nulls())))


def _scores(home: Home, workload: str, since: datetime, until: datetime) -> list[Score]:
    return home.store.query(workload=workload, since=since, until=until, limit=MAX_LIMIT)[0]


def watch(home: Home, played: Played, tell: Told, *, seconds: float) -> Detection:
    """Wait until the windows of a run have been scored, its telemetry turns out not to arrive, or time is up.

    Raises
    ------
    Stopped
        If SIGINT or SIGTERM arrived.
    """
    signals = Signals(tell)
    begin = time.monotonic()
    last = floor_window(played.end) if played.end else None
    with signals.taken():
        while True:
            found = detection(home, played)
            passed = time.monotonic() - begin
            scored = found.scores and last is not None and found.scores[-1].window_start >= f"{last:%Y-%m-%dT%H:%M:%SZ}"
            if scored or passed >= seconds or (not found.events and passed >= PATIENCE):
                return found
            signals.wait(POLL_SECONDS)
