"""What goes over the network, as shell in the stand-ins' own scripts: nothing is run in them from outside."""

import base64
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from service.emulation.live import scripts
from service.emulation.live.pace import gaps
from service.emulation.live.sinks import KNOWN
from service.emulation.live.stage import Stage
from service.emulation.steps import Beacon, Contact, Echo, Lookups, Scan, Session, Upload

WORDS = ("api", "cdn", "img", "mail", "news", "shop", "static", "video", "auth", "edge", "data", "files")
MOST_NAMES = 12_000
LONGEST_LABEL = 52
NEIGHBOURS = ("db", "queue")
"""Who else is there when the inner network is scanned."""


def beacon(stage: Stage, step: Beacon) -> None:
    """Check in at a beat."""
    what = f"check-ins at {stage.sinks[step.to].name or stage.sinks[step.to].address}"
    seconds = stage.pace.lasts(what, step.at, step.lasting)
    waits = _waits(stage, step, seconds)
    turn = _check_in(stage, step)
    if turn is None:
        return
    period = stage.pace.gap(step.period)
    stage.speak(step.on, step.at, f"{len(waits) + 1} {what}, every {period:g} s", scripts.repeated(turn, waits))
    stage.until(stage.pace.when(step.at) + min(seconds, sum(waits) + 5))


def _waits(stage: Stage, step: Beacon, seconds: float) -> list[float]:
    """Return the waits of a beacon, the same for the same run."""
    return gaps(stage.pace.gap(step.period), step.jitter, seconds, f"{stage.plan.run} {step.to} {step.at}")


def _check_in(stage: Stage, step: Beacon) -> str | None:
    sink = stage.sinks[step.to]
    name = {"": sink.name, "known": KNOWN, "own": KNOWN}.get(step.name, step.name)
    agent = scripts.AGENTS.get(step.client, "")
    look_up = ""
    if step.look_ups and stage.resolver and sink.name:
        look_up = f"timeout 3 nslookup {sink.name} {stage.resolver} >/dev/null 2>&1; "
    if step.transport == "http":
        address = sink.at("http", step.port, step.received, step.uri)
        return look_up + scripts.http(
            address.removesuffix(":80"), host=name, uri=step.uri, agent=agent, referrer=step.referrer, sent=step.sent
        )
    if step.transport in {"raw", "fake_tls"}:
        address = sink.at("raw", step.port, step.received)
        make = scripts.raw if step.transport == "raw" else scripts.fake_tls
        return look_up + make(address, sent=step.sent)
    if not _has_tls(stage, "TLS check-ins"):
        return None
    address = sink.at("tls", step.port, step.received, step.uri)
    return look_up + scripts.tls(address, sni=name, uri=step.uri, agent=agent, referrer=step.referrer, sent=step.sent)


def _has_tls(stage: Stage, what: str) -> bool:
    if not stage.options.tls:
        stage.note(f"{what} are left out: there is no openssl on this host to give to the stand-ins")
        return False
    stage.plan.tls = True
    return True


def session(stage: Stage, step: Session) -> None:
    """Hold long connections."""
    sink = stage.sinks[step.to]
    what = f"connection to {sink.name or sink.address}:{step.port}"
    if step.transport == "udp":
        stage.note(f"the UDP {what} is left out: the stand-ins' nc speaks TCP only")
        return
    over_tls = step.transport == "tls"
    if over_tls and not _has_tls(stage, "TLS sessions"):
        return
    address = sink.at("tls_sink" if over_tls else "raw", step.port, step.received)
    if over_tls:
        stage.note("inside TLS the sinks of long sessions answer nothing")
    every = step.lasting / step.count if step.count else 0.0
    for begin in stage.pace.times(what, step.at, step.count, every):
        seconds = min(stage.pace.gap(step.seconds), max(stage.pace.budget - begin, 1.0))
        if begin == stage.pace.when(step.at):
            seconds = stage.pace.lasts(what, step.at, step.seconds)
        script = scripts.held(
            address, spoken=step.service, sent=step.sent, seconds=seconds, over_tls=over_tls, sni=sink.name
        )
        delay = begin - stage.pace.when(step.at)
        stage.speak(step.on, step.at, f"a {what}, open for {seconds:.0f} s", f"sleep {delay:.2f}\n{script}")
        stage.until(begin + seconds)


def lookups(stage: Stage, step: Lookups) -> None:
    """Ask for names under the site's zone."""
    if not stage.resolver:
        stage.note("look-ups are left out: answering them needs root, and a destination on the emulation's network")
        return
    zone = stage.sinks[step.to].name or "t.zone.example"
    seconds = stage.pace.lasts("look-ups", step.at, step.lasting)
    wait = stage.pace.gap(3600 / step.per_hour)
    count = min(max(int(seconds / wait), 1), MOST_NAMES)
    names = [f"{_label(stage, step, number)}.{zone}" for number in range(count)]
    stage.plan.zone[f"*.{zone}"] = step.answers
    script = scripts.lookups(names, qtype=step.qtype, server=stage.resolver, wait=wait)
    stage.speak(step.on, step.at, f"{count} {step.qtype} look-ups under {zone}, every {wait:.2f} s", script)
    stage.until(stage.pace.when(step.at) + count * wait + 2)


def _label(stage: Stage, step: Lookups, number: int) -> str:
    drawn = stage.random(f"label {number}")
    if step.labels == "words":
        return f"{WORDS[drawn[0] % len(WORDS)]}-{WORDS[drawn[1] % len(WORDS)]}{drawn[2]}"
    text = drawn.hex() if step.labels == "hex" else base64.b32encode(drawn).decode().lower().rstrip("=")
    return ".".join(
        text[: step.length][start : start + LONGEST_LABEL] for start in range(0, step.length, LONGEST_LABEL)
    )


def scan(stage: Stage, step: Scan) -> None:
    """Try the addresses of the emulation's own networks, and no others."""
    seconds = stage.pace.lasts("the scan", step.at, step.lasting)
    wait = stage.pace.gap(60 / step.per_minute)
    attempts = max(int(seconds / wait), 1)
    if step.to == "internal":
        prefix = "$(ip -4 -o addr show eth0 | sed 's/.*inet \\([0-9]*\\.[0-9]*\\.[0-9]*\\)\\..*/\\1/')"
        targets = f'$(p={prefix}; seq 2 254 | sed "s/^/$p./")'
        where = "the emulation's inner network"
        for role in NEIGHBOURS:
            stage.peer(role, step.ports[0], "raw", 100, "")
        stage.note("addresses that nobody has leave no packet, only ARP: what is seen is the knocking at neighbours")
    else:
        first = stage.options.block * 32
        targets = " ".join(f"198.51.100.{first + number}" for number in range(2, 31))
        where = "the emulation's outer network"
    stage.note(f"the scan stays within {where}")
    script = scripts.scan(targets, step.ports, wait=wait, attempts=attempts)
    stage.speak(step.on, step.at, f"up to {attempts} attempts within {where} at {step.ports}", script)
    stage.until(stage.pace.when(step.at) + seconds)


def upload(stage: Stage, step: Upload) -> None:
    """Send zeros inside TLS."""
    if not _has_tls(stage, "uploads"):
        return
    sink = stage.sinks[step.to]
    address = sink.at("tls_sink", 0, 0)
    for begin in stage.pace.times(f"upload to {sink.name}", step.at, step.count, step.every):
        seconds = min(stage.pace.gap(step.seconds), max(stage.pace.budget - begin, 1.0))
        script = scripts.upload(address, sni=sink.name, size=int(step.sent), seconds=seconds)
        delay = begin - stage.pace.when(step.at)
        words = f"upload {int(step.sent):,} bytes of zeros to {sink.name or sink.address}"
        stage.speak(step.on, step.at, words, f"sleep {delay:.2f}\n{script}")
        stage.until(begin + seconds + 2)


def contact(stage: Stage, step: Contact) -> None:
    """Speak with another container of the emulation that plays the peer."""
    if step.peer in {"node", "metadata"}:
        stage.note(f"speaking with the {step.peer} is left out: it is not the emulation's own")
        return
    port = step.port or (80 if step.service == "http" else 5432)
    name = stage.peer(step.peer, port, "http" if step.service == "http" else "raw", step.received, step.uri)
    if step.service == "http":
        turn = scripts.http(
            f"{name}:{port}", host="", uri=step.uri, agent=scripts.AGENTS["victim"], referrer="", sent=step.sent
        )
    else:
        turn = scripts.raw(f"{name}:{port}", sent=step.sent)
    begin = stage.pace.times(f"contact with {step.peer}", step.at, step.count, step.every)
    waits = [later - earlier for earlier, later in pairwise(begin)]
    stage.speak(step.on, step.at, f"{len(begin)} contacts with {name}:{port}", scripts.repeated(turn, waits))
    stage.until(begin[-1] + 3)


def echo(stage: Stage, step: Echo) -> None:
    """Send echo requests with a payload."""
    sink = stage.sinks[step.to]
    seconds = stage.pace.lasts("echo requests", step.at, step.lasting)
    wait = stage.pace.gap(60 / step.per_minute)
    count = max(int(seconds / wait), 1)
    script = scripts.echo(sink.address, payload=step.payload, wait=wait, count=count)
    stage.speak(step.on, step.at, f"{count} echo requests of {step.payload} bytes to {sink.address}", script)
    stage.until(stage.pace.when(step.at) + seconds)


ACTS: dict[type, Callable[[Stage, Any], None]] = {
    Beacon: beacon,
    Session: session,
    Lookups: lookups,
    Scan: scan,
    Upload: upload,
    Contact: contact,
    Echo: echo,
}
