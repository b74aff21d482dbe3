"""What a container of an emulation may ask of the host: dangerous words are asked for, and never come true."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ASKED = {
    "AutoRemove", "CapAdd", "CapDrop", "CgroupnsMode", "CpuShares", "Devices", "Dns", "ExtraHosts", "Init", "IpcMode",
    "LogConfig", "Memory", "MemorySwap", "NanoCpus", "OomScoreAdj", "PidMode", "PidsLimit", "Privileged",
    "ReadonlyRootfs", "RestartPolicy", "SecurityOpt", "UTSMode", "UsernsMode",
}  # fmt: skip
SHARP = {"Devices", "PidMode", "Privileged", "SecurityOpt", "CapAdd"}


@dataclass(frozen=True)
class Asked:
    """Settings for the create call; `sharp`: commands are only echoed; `held`: the container is never started."""

    settings: dict[str, Any]
    sharp: bool
    held: bool
    notes: tuple[str, ...]
    folders: tuple[Path, ...]


def ask(wanted: Mapping[str, Any], folder: Path, *, privileged: bool) -> Asked:
    """Turn the settings of a scenario into those that are asked for.

    Parameters
    ----------
    wanted
        HostConfig as the scenario has it; empty values mean nothing.
    folder
        Where the empty folders lie that stand in for the host's.
    privileged
        Whether privileged containers are started, too.
    """
    settings: dict[str, Any] = {}
    notes: list[str] = []
    folders: list[Path] = []
    for key, value in wanted.items():
        if isinstance(value, list | tuple):
            value = [item for item in value if item != ""]  # noqa: PLW2901 -- an empty word says nothing
        if value in ("", False, None, [], {}, 0):
            continue
        if key == "Binds":
            settings[key] = [_bind(str(bind), folder, notes, folders) for bind in value]
        elif key == "PortBindings":
            settings[key] = {port: [{"HostIp": "127.0.0.1", "HostPort": ""}] for port in value}
            notes.append(f"ports {', '.join(value)} are published on a free port of loopback only")
        elif key in ASKED:
            settings[key] = value
        else:
            notes.append(f"the setting {key} is left out: it is not known to be harmless")
    held = bool(settings.get("Privileged") or settings.get("Devices")) and not privileged
    if held:
        notes.append("the container is created and not started (--privileged starts it; its command only sleeps)")
    return Asked(settings, bool(SHARP & settings.keys()), held, tuple(notes), tuple(folders))


def _bind(bind: str, folder: Path, notes: list[str], folders: list[Path]) -> str:
    source, _, rest = bind.partition(":")
    stand_in = folder / "host" / source.lstrip("/")
    folders.append(stand_in)
    notes.append(f"the host's {source} is replaced by the empty folder {stand_in}")
    return f"{stand_in}:{rest or source}"
