# ruff: noqa: E501 -- tables and wire forms stay in rows

"""Chains of weak steps that belong together."""

import numpy as np

from service.emulation.estate.attack_channels import borrow
from service.emulation.estate.attack_network import mine, upload
from service.emulation.estate.attack_runtime import drop
from service.emulation.estate.engine import Container, Spec
from service.emulation.estate.strike import TOOLS, Strike, candidates
from service.emulation.estate.world import HOUR, MINUTE, World


def pull_beacon_mine(world: World, now: float, strong: bool) -> None:
    """C01: pull from an unknown registry, run, call home, mine."""
    strike = Strike(world, now, strong)
    host, name = strike.host(), strike.hiding_name()
    image = f"{world.outside.word()}-{world.outside.word()}.example/base/{world.pick(['ubnutu', 'debain', 'cetnos'])}:latest"
    world.pull(host, image, now)
    container = strike.foothold(host, Spec(image, name, command=["sh", "/run.sh"]), now + (2 if strong else 600))
    begin = container.started
    strike.call_home(
        strike.beacon_times(begin + 1, 10 * MINUTE if strong else 3 * HOUR, 30 if strong else 600, 0.2),
        container.address,
        world.outside.stranger(),
        TOOLS["wget"],
    )
    mine(strike, container.address, begin + (8 * MINUTE if strong else 3 * HOUR), 4 * HOUR, 3333 if strong else 443)
    strike.record(
        "C01",
        "T1204.003 T1610 T1071.001 T1496.001",
        candidates(host, name, image),
        5 * HOUR,
        f"{image}: pulled, beacon, miner",
        "pulls network config",
        host=host,
    )


def drop_beacon_upload(world: World, now: float, strong: bool) -> None:
    """C02: a tool dropped through exec, a borrowed name, an upload, over six hours."""
    strike = Strike(world, now, strong)
    lasting = 6 * HOUR
    service = strike.victim("api", "worker", "web", lasting=lasting)
    container: Container = service.containers[0]
    drop(strike, container)
    known = [site.name for s in world.services for site, _ in s.sites] or ["git.corp.example"]
    borrow(
        strike,
        container.address,
        world.pick(known),
        strike.beacon_times(now + 40 * MINUTE, lasting - 2 * HOUR, 600 if strong else 1500, 0.4),
    )
    late = Strike(world, now + lasting - HOUR, strong)
    upload(late, container.address, volume=float(np.exp(strike.rng.uniform(17, 19))) if strong else 9e6)
    strike.record(
        "C02",
        "T1105 T1609 T1001.003 T1048.002",
        [service.workload],
        lasting,
        "drop, borrowed SNI, upload",
        "control network",
        host=container.host,
    )
