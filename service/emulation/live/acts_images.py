"""What happens to images and registries, as calls to the engine."""

import io
import re
import tarfile
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from service.emulation.live.actions import Call
from service.emulation.live.stage import Stage, importing, push
from service.emulation.steps import Build, Image, Pull, Registry


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


def build(stage: Stage, step: Build) -> None:
    """Build with the legacy builder, on an image of the run, inside the run's network."""
    base = stage.provide(step.base, pushed=False)
    reference = stage.reference(step.image)
    for site, page in re.findall(r"http://(\w+)/(\S*)", " ".join(step.commands)):
        if site in stage.sinks:
            stage.sinks[site].at("http", 80, 20_000, page or "index.html")
    commands = [command.replace("curl -o", "wget -q -O") for command in step.commands]
    for name, sink in stage.sinks.items():
        commands = [command.replace(f"http://{name}/", f"http://{sink.address}/") for command in commands]
    lines = [f"FROM {base}", *(f"RUN ({command}) || true" for command in commands)]
    target = f"/build?version=1&t={reference}&networkmode={stage.network}&rm=1&forcerm=1&nocache=1&pull=0"
    call = Call("POST", target, one_file("Dockerfile", "\n".join(lines) + "\n"), timeout=120)
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


def one_file(path: str, text: str) -> bytes:
    """Return a tar of one file that can be run."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(text), 0o755
        tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


ACTS: dict[type, Callable[[Stage, Any], None]] = {Pull: pull, Registry: registry, Build: build, Image: image}
