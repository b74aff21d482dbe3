"""What happens to images and containers, as calls to the engine."""

import io
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from service.emulation.live.actions import Call
from service.emulation.live.safety import ask
from service.emulation.live.stage import SPARE, Holder, Stage, environment, importing, push
from service.emulation.steps import (
    Attach,
    Build,
    Copy,
    Exec,
    Image,
    Pull,
    Recreate,
    Registry,
    Remove,
    Rename,
    Run,
    Silence,
    Update,
)

DROPPED = re.compile(r"/(?:tmp|var/tmp|dev/shm|root|opt|usr/local/bin)/\S+")
HIDING = "kube-proxy-helper"
LONG = 2.0
"""Seconds from which on a command lasts so long that its session is held open."""


def pull(stage: Stage, step: Pull) -> None:
    """Pull from the run's own registry."""
    if not stage.options.registry:
        stage.note(f"the pull of {step.image} is left out: there is no docker-registry here (Debian: docker-registry)")
        return
    reference = stage.provide(step.image, pushed=True)
    if reference != step.image:
        stage.note(f"{step.image} is {reference}: the run's own registry on loopback, nothing comes from the internet")
    for at in stage.pace.times(f"pull {step.image}", step.at, step.count, step.every):
        stage.act(at, f"pull {reference}", pulling(reference), leaves="image pull event, an image", tag=reference)


def pulling(reference: str) -> Call:
    """Return the call that pulls an image."""
    repository, _, tag = reference.rpartition(":")
    return Call("POST", f"/images/create?fromImage={quote(repository, safe='')}&tag={tag}")


def registry(stage: Stage, step: Registry) -> None:
    """Push other content under a tag; through the engine, since the operator's registry is left alone."""
    if not stage.options.registry or step.action != "push":
        stage.note(f"{step.action} at the registry is left out: the operator's registry is left alone")
        return
    reference = stage.provide(step.image, pushed=False)
    stage.note("the push goes through the engine to the run's registry: the operator's registry hears nothing of it")
    other = [call for _, call in importing(stage.plan, reference, " other")]
    words = f"push other content as {reference}"
    stage.act(stage.pace.when(step.at), words, *other, push(reference), leaves="import and push events", tag=reference)


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
    name = {"hiding": HIDING, "victim": stage.role}.get(
        step.name, step.name
    ) or f"{stage.project}-{len(stage.everyone)}"
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
    tar = _file(path, f"#!/bin/sh\n# stands for a dropped tool: it only waits\n{wait}")
    call = Call("PUT", f"/containers/{name}/archive?path=/", tar)
    stage.act(at, f"copy a script that only waits into {name} as {path}", call, leaves="extract-to-dir event")


def _file(path: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(text), 0o755
        tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def attach(stage: Stage, step: Attach) -> None:
    """Let a stand-in join a second network of the emulation."""
    name = stage.holder(step.on).name
    other = stage.outside if stage.holder(step.on).network == stage.inside else stage.inside
    if not other:
        stage.note("joining a second network is left out: the emulation has one")
        return
    call = Call("POST", f"/networks/{other}/connect", {"Container": name})
    stage.act(stage.pace.when(step.at), f"{name} joins {other}", call, leaves="network connect event")


def build(stage: Stage, step: Build) -> None:
    """Build with the legacy builder, on an image of the run, inside the run's network."""
    base = stage.provide(step.base, pushed=False)
    reference = stage.reference(step.image)
    for site, page in re.findall(r"http://(\w+)/(\S*)", " ".join(step.commands)):
        if site in stage.sinks:
            stage.sinks[site].at("http", 80, 20_000, page or "index.html")
    commands = [command.replace("curl -o", "wget -q -O") for command in step.commands]
    lines = [f"FROM {base}", *(f"RUN ({command}) || true" for command in commands)]
    target = f"/build?version=1&t={reference}&networkmode={stage.network}&rm=1&forcerm=1&nocache=1&pull=0"
    call = Call("POST", target, _file("Dockerfile", "\n".join(lines) + "\n"), timeout=120)
    words = f"build {reference} on {base}: {'; '.join(commands)} (failures are ignored)"
    stage.made = reference
    stage.act(
        stage.pace.when(step.at), words, call, leaves="events of a container for each step, an image", tag=reference
    )


def image(stage: Stage, step: Image) -> None:
    """Change images without a registry."""
    at = stage.pace.when(step.at)
    reference = stage.reference(step.image)
    repository, _, tag = reference.rpartition(":")
    if step.action == "commit":
        holder = stage.holder("victim")
        stage.made = reference
        call = Call("POST", f"/commit?container={holder.name}&repo={quote(repository, safe='')}&tag={tag}&pause=1", {})
        stage.act(
            at, f"commit {holder.name} as {reference}", call, leaves="pause, commit and tag events", tag=reference
        )
    elif step.action in {"load", "import"}:
        calls = [call for _, call in importing(stage.plan, reference, " imported")]
        if step.action == "load":
            stage.note("a load is shown as an import")
        stage.act(at, f"import {reference} without any registry", *calls, leaves="import event", tag=reference)
    elif step.action == "tag":
        if not stage.made:
            calls = [call for _, call in importing(stage.plan, reference, " other")]
            stage.act(at, f"put other content under {reference}", *calls, leaves="import event", tag=reference)
            return
        call = Call("POST", f"/images/{stage.made}/tag?repo={quote(repository, safe='')}&tag={tag}")
        stage.act(at, f"tag {stage.made} as {reference}", call, leaves="tag event", tag=reference)
    elif stage.options.registry:
        stage.act(at, f"push {reference}", push(reference), leaves="push event")
    else:
        stage.note(f"the push of {reference} is left out: there is no docker-registry here")


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
    Pull: pull,
    Registry: registry,
    Run: run,
    Recreate: recreate,
    Update: update,
    Exec: execute,
    Copy: copy,
    Attach: attach,
    Build: build,
    Image: image,
    Rename: rename,
    Silence: silence,
    Remove: remove,
}
