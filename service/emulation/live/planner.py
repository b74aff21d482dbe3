"""Makes the plan of an emulation: the stand-in, the sinks, and the scenario's acts at their times."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from service.emulation.live import acts_containers, acts_images, acts_traffic
from service.emulation.live.actions import FOLDERS, LABEL, Call, LiveError, Plan
from service.emulation.live.acts_containers import composed, limit
from service.emulation.live.sinks import Sink
from service.emulation.live.stage import SCRIPTS, SINK, Holder, Options, Stage
from service.emulation.scenario import Scenario, Variant
from service.emulation.steps import AnyStep, Audit, Image, Inbound, Pull, Recreate, Registry, Relay

ACTS = acts_containers.ACTS | acts_images.ACTS | acts_traffic.ACTS
UNPLAYABLE = {
    Audit: "it asks the Kubernetes API, and there is no cluster to ask without touching it",
    Relay: "it relays for strangers, who are not on the emulation's network",
    Inbound: "strangers connect to the host itself, which the emulation does not open",
}


def obstacle(scenario: Scenario) -> str:
    """Say why a scenario cannot be played live; nothing where it can."""
    if scenario.stages:
        return "it is a chain: play its parts one after the other: " + ", ".join(
            stage.scenario or stage.lookalike for stage in scenario.stages
        )
    for step in scenario.played("high"):
        if type(step) in UNPLAYABLE:
            return UNPLAYABLE[type(step)]
    if scenario.blind:
        return f"it leaves nothing to see: {scenario.blind}"
    if not scenario.live:
        return "the library does not mark it as one that a single engine shows"
    return ""


def plan(scenario: Scenario, variant: Variant, run: str, options: Options, temporary: Path | None = None) -> Plan:
    """Make the plan of a scenario.

    Parameters
    ----------
    scenario, variant
        What to play and how loud.
    run
        Id of the run, the label's value; names and random choices follow from it.
    options
        What is allowed and possible.
    temporary
        Where the run's folder will go, the system's folder for temporary files by default.

    Raises
    ------
    LiveError
        If the scenario cannot be played live, or needs a stand-in that no step provides.
    """
    if why := obstacle(scenario):
        raise LiveError(f"{scenario.id} cannot be played live: {why}")
    folder = (temporary or Path(tempfile.gettempdir())) / f"{FOLDERS}{run}"
    steps = tuple(sorted(scenario.played(variant), key=lambda step: step.at))
    if not any(map(_needs_registry, steps)):
        options = replace(options, registry=0)
    made = Plan(run, scenario, variant, registry=options.registry, folder=folder, base=options.image)
    stage = Stage(made, steps, options, folder)
    if scenario.victim.kind != "host" or _speaks_as_victim(steps):
        _stand_in(stage)
    for step in steps:
        ACTS[type(step)](stage, step)
    made.actions.sort(key=lambda action: action.at)
    made.seconds = max([stage.lasted, *(action.at for action in made.actions)])
    made.notes += stage.pace.notes
    made.notes.append(
        f"whatever collects this host's telemetry sees it all, the sinks too: label {LABEL}={run} tells it apart"
    )
    _finish(stage)
    return made


def _needs_registry(step: AnyStep) -> bool:
    pushes = isinstance(step, Image) and step.action == "push"
    return pushes or isinstance(step, Pull | Registry) or (isinstance(step, Recreate) and step.pull)


def _speaks_as_victim(steps: Sequence[object]) -> bool:
    return any(getattr(step, "on", "") == "victim" for step in steps)


def _stand_in(stage: Stage) -> None:
    reference = stage.provide("victim", pushed=False)
    name = f"{stage.project}-{stage.role}-1"
    holder = Holder(name, reference, 0.0, stage.network, stage.script(name))
    holder.body = stage.body(reference, ("sh", holder.script), stage.network)
    holder.body["Labels"] |= composed(stage)
    stage.hold("victim", holder)
    stage.stand_in = holder
    stage.note("the victim is a stand-in that has no life of its own and no baseline: what is new for it is less so")


def _finish(stage: Stage) -> None:
    """Put before everything what the acts turned out to need, and write the scripts into the images."""
    made = stage.plan
    wanted = [sink for sink in stage.sinks.values() if sink.listens or sink.address in _said(stage)]
    sinks = [(sink, stage.outside) for sink in wanted] + [(sink, stage.inside) for sink in stage.peers.values()]
    image = stage.provide(SINK, pushed=False) if sinks or made.resolver else ""
    networks = [_network(made.run, stage.outside, stage.options.block)] if stage.outside else []
    networks += [_network(made.run, stage.inside)] if stage.inside else []
    images, made.setting = made.setting, []
    for words, call in networks:
        stage.set_up(words, call, leaves="network create event, an internal network")
    made.setting += images
    if made.resolver:
        stage.note("the run's own resolver is new to the stand-in as well: evidence of it is no evidence of the attack")
        answerer = Sink(made.resolver, stage.resolver, "", 53)
        sinks.append((answerer, stage.outside))
    for sink, network in sinks:
        _sink(stage, sink, network, image)
    if victim := stage.stand_in:
        calls = (
            Call("POST", f"/containers/create?name={victim.name}", victim.body),
            *_second_network(stage, victim),
            Call("POST", f"/containers/{victim.name}/start"),
        )
        words = f"create and start {victim.name}, the stand-in for the victim"
        stage.set_up(words, *calls, leaves="create, network and start events, a container", name=victim.name)
    for holder in stage.everyone:
        made.files[holder.script] = _script(holder.parts, limit(stage))
    if wanted:
        stage.note("each sink may set addresses (NET_ADMIN), in its own network namespace, to add the one it plays")
    made.folders = list(dict.fromkeys(made.folders))


def _said(stage: Stage) -> str:
    return "\n".join(part for holder in stage.everyone for part in holder.parts)


def _second_network(stage: Stage, holder: Holder) -> tuple[Call, ...]:
    if not (stage.inside and stage.outside) or holder.network != stage.inside:
        return ()
    return (Call("POST", f"/networks/{stage.outside}/connect", {"Container": holder.name}),)


def _network(run: str, name: str, block: int | None = None) -> tuple[str, Call]:
    body: dict[str, object] = {"Name": name, "Internal": True, "CheckDuplicate": True, "Labels": {LABEL: run}}
    where = ""
    if block is not None:
        subnet = f"198.51.100.{block * 32}/27"
        body["IPAM"] = {"Config": [{"Subnet": subnet, "IPRange": f"198.51.100.{block * 32}/28"}]}
        where = f" {subnet}, addresses that no one has"
    return f"create the internal network {name}{where}", Call("POST", "/networks/create", body)


def _sink(stage: Stage, sink: Sink, network: str, image: str) -> None:
    body = stage.body(image, ("sh", f"{SCRIPTS}/{sink.container}.sh"), network)
    place: dict[str, object] = {"Aliases": [sink.name]} if network == stage.inside else {}
    if sink.container == stage.plan.resolver:
        place["IPAMConfig"] = {"IPv4Address": sink.address}
    elif network == stage.outside:
        body["HostConfig"]["CapAdd"] = ["NET_ADMIN"]
    body["NetworkingConfig"] = {"EndpointsConfig": {network: place}}
    stage.plan.files[f"{SCRIPTS}/{sink.container}.sh"] = _script([sink.script()], limit(stage))
    stage.plan.files |= sink.answers()
    calls = (
        Call("POST", f"/containers/create?name={sink.container}", body),
        Call("POST", f"/containers/{sink.container}/start"),
    )
    who = f"{sink.name or sink.address} ({sink.address})" if network == stage.outside else sink.name
    ports = ", ".join(f"{port} {kind}" for port, (kind, _) in sorted(sink.listens.items())) or "nothing but echo"
    words = f"create and start {sink.container}, which plays {who}: {ports}"
    if sink.container == stage.plan.resolver:
        words = f"create and start {sink.container}, in whose network this command answers DNS at {sink.address}"
    stage.set_up(words, *calls, leaves="create, network and start events, a container", name=sink.container)


def _script(parts: Sequence[str], seconds: float) -> str:
    # The shell waits in the background, so that it ends at once when told to stop.
    return "trap 'exit 0' TERM INT\n" + "".join(parts) + f"sleep {seconds:.0f} &\nwait $!\n"
