"""Acts of the network that hide in other protocols or try many addresses: names, echoes, scans, relays."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from service.emulation.estate.cast import Cast
from service.emulation.estate.ids import Objects, base32_labels
from service.emulation.estate.speaking import Turn, beat, resolve, speak
from service.emulation.estate.wire import Site
from service.emulation.steps import Echo, Lookups, Relay, Scan

_PUBLIC_RESOLVER = "8.8.8.8"
_UNUSED = "192.88.99"  # a reserved network in which nobody of the estate is
_LONGEST_LABEL = 63
_ANSWER_LENGTH = 120
_ECHO_TIMEOUT = 60.0  # after so long a silence Zeek takes echoes for another conversation
_SUBNETS = 7


def lookups(cast: Cast, now: float, step: Lookups) -> None:
    zone = ".".join(cast.sites[step.to].name.rsplit(".", 2)[-2:])
    server = _PUBLIC_RESOLVER if step.resolver == "public" else cast.world.wire.resolver
    ts = beat(cast.rng, now, step.lasting, 3600.0 / step.per_hour, 0.4)
    cast.notes.append(f"{len(ts)} names under {zone}")
    speak(cast, step.on, ts, partial(_ask, cast, step, zone, server))
    if step.resolver != "public":
        cast.shows(f"ip:{server}")


def _ask(cast: Cast, step: Lookups, zone: str, server: str, turn: Turn) -> None:
    count = len(turn.ts)
    names = np.array([f"{label}.{zone}" for label in _labels(cast, step, count)], dtype=object)
    answers: Objects | None = None
    if step.answers == "random":
        answers = np.array([f"{_UNUSED}.{n}" for n in cast.rng.integers(1, 254, count)], dtype=object)
    elif step.answers == "text":
        data = base32_labels(cast.rng, count, _ANSWER_LENGTH)
        shape = {"TXT": f"TXT {_ANSWER_LENGTH} {{}}", "CNAME": f"{{:.{_LONGEST_LABEL}}}.{zone}"}.get(step.qtype, "{}")
        answers = np.array([shape.format(text) for text in data], dtype=object)
    cast.world.wire.look_up(
        turn.ts, turn.address, names, answers, qtype=step.qtype, server=server,
        answer_bytes=110 + _ANSWER_LENGTH if step.answers == "text" else 120,
    )  # fmt: skip


def _labels(cast: Cast, step: Lookups, count: int) -> list[str]:
    rng = cast.rng
    if step.labels == "words":
        return [f"{cast.world.outside.word()}-{cast.world.outside.word()}" for _ in range(count)]
    if step.labels == "hex":
        return [rng.bytes((step.length + 1) // 2).hex()[: step.length] for _ in range(count)]
    longest = -(-step.length // -(-step.length // _LONGEST_LABEL))  # as few labels as it needs, of one length
    return [
        ".".join(text[low : low + longest] for low in range(0, step.length, longest))
        for text in base32_labels(rng, count, step.length)
    ]


def scan(cast: Cast, now: float, step: Scan) -> None:
    ts = beat(cast.rng, now, step.lasting, 60.0 / step.per_minute, 0.4)
    cast.notes.append(f"{len(ts)} attempts {step.to}")
    speak(cast, step.on, ts, partial(_try, cast, step))


def _try(cast: Cast, step: Scan, turn: Turn) -> None:
    rng, count = cast.rng, len(turn.ts)
    alive = _alive(cast)
    port = rng.choice(np.array(step.ports), count)
    if step.to == "outside":
        target = np.array([f"198.{18 + a % 2}.{b}.{c}" for a, b, c in rng.integers(1, 254, (count, 3))], dtype=object)
        state = np.where(rng.random(count) < step.answered, "SF", "S0").astype(object)
    else:
        target = _inside(cast, turn, alive, count)
        open_there = [(address, p) for address, ports in alive.items() for p in ports if p in step.ports]
        for i in np.flatnonzero(rng.random(count) < step.answered).tolist() if open_there else []:
            target[i], port[i] = open_there[int(rng.integers(len(open_there)))]
        state = np.array([_state(alive.get(t), p) for t, p in zip(target, port.tolist(), strict=True)], dtype=object)
    own = turn.address.rsplit(".", 1)[0] + "."
    # in its own subnet nobody answers for an address that nobody has: the question stays at ARP
    seen = np.array([state[i] != "S0" or not t.startswith(own) for i, t in enumerate(target)]) & (
        target != turn.address
    )
    if seen.any():
        cast.world.wire.connections(
            turn.ts[seen], turn.address, target[seen], port[seen], sizes=(60, 80, 0.01), state=state[seen]
        )


def _alive(cast: Cast) -> dict[str, tuple[int, ...]]:
    """List who has an address now, and which ports are open there."""
    pods = cast.world.cluster.services if cast.world.cluster is not None else []
    return {c.address: (s.port,) for s in (*cast.world.services, *pods) for c in s.containers if c.address}


def _inside(cast: Cast, turn: Turn, alive: dict[str, tuple[int, ...]], count: int) -> Objects:
    prefix = turn.address.rsplit(".", 2)[0]
    subnets = sorted({*range(_SUBNETS), *(int(a.split(".")[2]) for a in alive if a.startswith(f"{prefix}."))})
    drawn = zip(cast.rng.choice(subnets, count), cast.rng.integers(2, 254, count), strict=True)
    return np.array([f"{prefix}.{subnet}.{host}" for subnet, host in drawn], dtype=object)


def _state(ports: tuple[int, ...] | None, port: int) -> str:
    return "S0" if ports is None else "SF" if port in ports else "REJ"


def echo(cast: Cast, now: float, step: Echo) -> None:
    ts = beat(cast.rng, now, step.lasting, 60.0 / step.per_minute, 0.05)
    talks = np.split(ts, np.flatnonzero(np.diff(ts) > _ECHO_TIMEOUT) + 1)
    begun = np.array([talk[0] for talk in talks])
    seconds = np.array([talk[-1] - talk[0] for talk in talks]) + 0.02
    counts = np.array([len(talk) for talk in talks])
    site = cast.sites[step.to]
    cast.notes.append(f"{len(ts)} echoes of {step.payload} B to {site.addresses[0]}")

    def write(turn: Turn) -> None:
        index = np.searchsorted(begun, turn.ts)
        lasted = np.minimum(seconds[index], turn.left)
        count = np.maximum(1, counts[index] * lasted / seconds[index]).astype(np.int64)
        size = count * step.payload
        cast.world.wire.connections(
            turn.ts, turn.address, site.at(turn.ts), 0, sizes=(size, size, lasted), proto="icmp", state="OTH", sport=8,
            packets=count,
        )  # fmt: skip

    speak(cast, step.on, begun, write, seconds=float(seconds.max()))


def relay(cast: Cast, now: float, step: Relay) -> None:
    ts = np.sort(now + cast.rng.uniform(0, step.lasting, step.hosts))
    names, addresses = cast.world.outside.fresh_domains(step.hosts)
    cast.notes.append(f"a relay to {step.hosts} hosts")

    def write(turn: Turn) -> None:
        index, rng, wire = np.searchsorted(ts, turn.ts), cast.rng, cast.world.wire
        size = step.sent * rng.lognormal(0, 0.8, len(index))
        sizes = (
            size,
            size * rng.uniform(0.85, 1.15, len(index)),
            np.minimum(rng.lognormal(1, 1, len(index)), turn.left),
        )
        for i, where in enumerate(index.tolist()):
            one = Turn(turn.ts[i : i + 1], turn.address, turn.left[i : i + 1])
            resolve(cast, one, Site(str(names[where]), (str(addresses[where]),)))
        wire.tls(
            turn.ts, turn.address, addresses[index], 443, sizes=sizes, who=cast.client("none"), name=names[index],
            alpn="h2",
        )  # fmt: skip

    speak(cast, step.on, ts, write)


ACTS: dict[type, Callable[[Cast, float, Any], None]] = {Lookups: lookups, Scan: scan, Echo: echo, Relay: relay}
