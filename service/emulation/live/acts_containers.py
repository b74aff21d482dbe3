"""What happens to containers, as calls to the engine."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from service.emulation.live.actions import Call
from service.emulation.live.acts_images import one_file, pulling
from service.emulation.live.safety import ask
from service.emulation.live.stage import SPARE, Holder, Stage, environment
from service.emulation.steps import (
    Attach,
    Build,
    Copy,
    Exec,
    Pull,
    Recreate,
    Remove,
    Rename,
    Run,
    Silence,
    Update,
)

DROPPED = re.compile(r"/(?:tmp|var/tmp|dev/shm|root|opt|usr/local/bin)/\S+")
HIDING = "kube-proxy-helper"
INVENTED = ("quirky", "nifty", "zen", "serene", "brave", "eager", "loving", "stoic", "upbeat", "clever")
"""How the engine begins the names that it invents."""
LONG = 2.0
"""Seconds from which on a command lasts so long that its session is held open."""


def run(stage: Stage, step: Run) -> None:
    """Create a container and start it; it becomes the foothold."""
    pulled = any(isinstance(earlier, Pull) and earlier.image == step.image for earlier in stage.steps)
    built = any(isinstance(earlier, Build) and earlier.image == step.image for earlier in stage.steps)
    reference = stage.reference(step.image)
    if not built and not (pulled and stage.options.registry):
        reference = stage.provide(step.image, pushed=False)
    times = stage.pace.times(f"run {step.image}", step.at, step.count, step.every)
    for number, at in enumerate(times, 1):
        _run(stage, step, at, reference, number if step.count > 1 else 0)


def _run(stage: Stage, step: Run, at: float, reference: str, number: int) -> None:
    name = {"hiding": HIDING, "victim": stage.role}.get(step.name, step.name) or _invented(stage)
    name = f"{name}-{number}" if number else name
    network = _network(stage, step.network)
    asked = ask(step.settings, stage.plan.folder, privileged=stage.options.privileged)
    held = asked.held or step.refused
    holder = Holder(name, reference, at, network, stage.script(name), asked.sharp, held)
    lives = stage.pace.lasts(f"the life of {name}", step.at, step.lives) if step.lives else 0.0
    body = stage.body(reference, ("sh", holder.script, *step.command), network)
    body["HostConfig"] |= asked.settings
    body["Labels"] |= _labels(stage, step.labels)
    if step.env:
        body["Env"] = environment(step.env)
    for text in asked.notes:
        stage.note(f"{name}: {text}")
    stage.plan.folders += asked.folders
    holder.body = body
    calls = [Call("POST", f"/containers/create?name={quote(name)}", body)]
    if step.refused and not asked.held:
        stage.note(f"{name}: a start that the engine refuses is shown by not starting the container at all")
    if not held:
        calls.append(Call("POST", f"/containers/{name}/start", may_fail=asked.sharp))
    done = "create" if held else "create and start"
    words = f"{done} {name} from {reference}" + (f", asking for {', '.join(step.settings)}" if step.settings else "")
    stage.act(at, words, *calls, leaves="create, network and start events, a container", name=name)
    stage.hold("foothold", holder)
    if lives:
        gone = Call("DELETE", f"/containers/{name}?force=1&v=1", may_fail=True)
        stage.act(at + lives, f"{name} ends and is removed", gone, leaves="die and destroy events")
        holder.parts.append(f"(sleep {max(lives - 1, 0.2):.1f}; kill $$) &\n")


def _invented(stage: Stage) -> str:
    return f"{INVENTED[len(stage.everyone) % len(INVENTED)]}_wharfinger{int(stage.plan.run, 16) % 10_000}"


def _network(stage: Stage, wanted: str) -> str:
    if wanted == "container:victim":
        return f"container:{stage.holder('victim').name}"
    return wanted if wanted in {"host", "none"} else stage.network


def _labels(stage: Stage, whose: str) -> dict[str, str]:
    if whose == "ci":
        return {"com.gitlab.gitlab-runner.job.id": "4711", "com.gitlab.gitlab-runner.managed": "true"}
    return composed(stage) if whose == "victim" else {}


def composed(stage: Stage, number: int = 1) -> dict[str, str]:
    """Return the labels that Compose would give the stand-in."""
    names = {"project": stage.project, "service": stage.role, "container-number": str(number), "oneoff": "False"}
    return {f"com.docker.compose.{key}": value for key, value in names.items()}


def recreate(stage: Stage, step: Recreate) -> None:
    """Replace the victim under the same name, with other settings."""
    old = stage.holder("victim")
    at = stage.pace.when(step.at)
    reference = old.image if step.image == "victim" else stage.provide(step.image, pushed=False)
    asked = ask(step.settings, stage.plan.folder, privileged=stage.options.privileged)
    network = _network(stage, step.network) if step.network else old.network
    new = Holder(old.name, reference, at, network, stage.script(old.name), asked.sharp, asked.held)
    new.body = {**old.body, "Image": reference, "Cmd": ["sh", new.script, *step.command]}
    new.body["HostConfig"] = {**old.body["HostConfig"], **asked.settings, "NetworkMode": network}
    if step.env:
        new.body["Env"] = [*old.body.get("Env", []), *environment(step.env)]
    if network != old.network:
        new.body.pop("NetworkingConfig", None)
    for text in asked.notes:
        stage.note(f"{new.name}: {text}")
    if step.replicas != "one":
        stage.note("the stand-in has one replica: all of it is replaced")
    stage.plan.folders += asked.folders
    calls = [Call("POST", f"/containers/{old.name}/stop?t=1"), Call("DELETE", f"/containers/{old.name}?force=1&v=1")]
    if step.pull and stage.options.registry:
        calls.append(pulling(reference))
    calls.append(Call("POST", f"/containers/create?name={new.name}", new.body))
    if not asked.held:
        calls.append(Call("POST", f"/containers/{new.name}/start", may_fail=asked.sharp))
    words = f"replace {new.name}" + (f", asking for {', '.join(step.settings)}" if step.settings else "")
    stage.act(at, words, *calls, leaves="kill, die, destroy, create and start events", name=new.name)
    stage.hold("victim", new)


def update(stage: Stage, step: Update) -> None:
    """Change resources or the restart policy of the victim in place."""
    name = stage.holder("victim").name
    call = Call("POST", f"/containers/{name}/update", step.settings)
    stage.act(stage.pace.when(step.at), f"update {name}: {step.settings}", call, leaves="update event")


def execute(stage: Stage, step: Exec) -> None:
    """Run commands in a stand-in from outside."""
    holder = stage.holder(step.on)
    if holder.held:
        stage.note(f"commands in {holder.name} are left out, since it is not started")
        return
    if holder.sharp:
        stage.note(f"commands in {holder.name} are echoed and not run, since it was asked for with dangerous settings")
    count = max(step.count, len(step.commands))
    for number, at in enumerate(stage.pace.times(f"commands in {holder.name}", step.at, count, step.every)):
        command = step.commands[number % len(step.commands)]
        lasting = 0.0
        if number == count - 1 and step.lasting > LONG:
            lasting = stage.pace.lasts(f"the session in {holder.name}", step.at, step.lasting)
            stage.until(at + lasting + 1)
        words = ["sh", "-c", "echo", *command.split()] if holder.sharp else _words(command)
        body = {"Cmd": words, "AttachStdin": bool(lasting), "AttachStdout": True, "AttachStderr": True}
        stage.act(
            at,
            f"run in {holder.name}: {command}",
            Call("POST", f"/containers/{holder.name}/exec", body),
            Call("POST", "/exec/{id}/start", {"Detach": False, "Tty": False}, hold=lasting, timeout=10, may_fail=True),
            leaves="exec_create, exec_start and exec_die events",
        )


def _words(command: str) -> list[str]:
    return ["sh", "-c", command] if re.search(r"[|;&<>$`'\"*]", command) else command.split()


def copy(stage: Stage, step: Copy) -> None:
    """Copy a script that only waits in, or a file out."""
    name, at = stage.holder(step.on).name, stage.pace.when(step.at)
    if step.direction == "out":
        call = Call("GET", f"/containers/{name}/archive?path=/etc/passwd")
        stage.act(at, f"copy a file out of {name}", call, leaves="archive-path event")
        return
    later = [command for s in stage.steps if isinstance(s, Exec) and s.on == step.on for command in s.commands]
    path = next((found.group() for command in later if (found := DROPPED.search(command))), "/tmp/.x11")  # noqa: S108
    lasting = max((stage.pace.gap(s.lasting) for s in stage.steps if isinstance(s, Exec)), default=10.0)
    wait = f'case "$1" in --*) exit ;; esac\nsleep {min(lasting, stage.pace.budget):.0f}\n'
    tar = one_file(path, f"#!/bin/sh\n# stands for a dropped tool: it only waits\n{wait}")
    call = Call("PUT", f"/containers/{name}/archive?path=/", tar)
    stage.act(at, f"copy a script that only waits into {name} as {path}", call, leaves="extract-to-dir event")


def attach(stage: Stage, step: Attach) -> None:
    """Let a stand-in join a second network of the emulation."""
    name = stage.holder(step.on).name
    other = stage.outside if stage.holder(step.on).network == stage.inside else stage.inside
    if not other:
        stage.note("joining a second network is left out: the emulation has one")
        return
    call = Call("POST", f"/networks/{other}/connect", {"Container": name})
    stage.act(stage.pace.when(step.at), f"{name} joins {other}", call, leaves="network connect event")


def rename(stage: Stage, step: Rename) -> None:
    """Give a stand-in another name."""
    holder = stage.holder(step.on)
    new = HIDING if step.name == "hiding" else step.name
    call = Call("POST", f"/containers/{holder.name}/rename?name={quote(new)}")
    words = f"rename {holder.name} to {new}"
    stage.act(stage.pace.when(step.at), words, call, leaves="rename event", name=new)
    stage.holders[step.on] = replace(holder, name=new)


def silence(stage: Stage, step: Silence) -> None:
    """Stop or pause the victim, and bring it back where the scenario does."""
    name, at = stage.holder("victim").name, stage.pace.when(step.at)
    ways = {"stop": ("stop?t=1", "start"), "pause": ("pause", "unpause")}
    if step.how not in ways:
        stage.note("dropping what a container sends is left out: it needs the host's firewall")
        return
    stop, again = ways[step.how]
    stage.act(at, f"{step.how} {name}", Call("POST", f"/containers/{name}/{stop}"), leaves=f"{step.how} events")
    if step.lasting:
        back = at + stage.pace.lasts(f"the silence of {name}", step.at, step.lasting)
        stage.act(back, f"{again} {name}", Call("POST", f"/containers/{name}/{again}"), leaves=f"{again} event")


def remove(stage: Stage, step: Remove) -> None:
    """Remove a stand-in by force, and its image."""
    holder = stage.holder(step.on)
    calls = [Call("DELETE", f"/containers/{holder.name}?force=1&v=1", may_fail=True)]
    if step.image:
        calls.append(Call("DELETE", f"/images/{holder.image}?force=1&noprune=1", may_fail=True))
    stage.act(stage.pace.when(step.at), f"remove {holder.name} by force", *calls, leaves="destroy and delete events")


def limit(stage: Stage) -> float:
    """Return the seconds after which every container of the run ends by itself."""
    return stage.pace.budget + SPARE


ACTS: dict[type, Callable[[Stage, Any], None]] = {
    Run: run,
    Recreate: recreate,
    Update: update,
    Exec: execute,
    Copy: copy,
    Attach: attach,
    Rename: rename,
    Silence: silence,
    Remove: remove,
}
