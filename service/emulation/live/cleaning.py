"""Removes what carries the label, whatever run it is from, and nothing else."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from service.emulation.live.actions import FOLDERS, LABEL
from service.emulation.live.api import request

PASSES = 4
"""Images that others build on go only after those; each pass removes a layer of them."""


def clean(socket: Path, run: str = "", temporary: Path | None = None) -> tuple[list[str], list[str]]:
    """Remove containers, networks, images and folders of a run, or of every run.

    Returns
    -------
    What was removed, and what could not be, with the reason.

    Raises
    ------
    OSError
        If the engine does not answer.
    """
    gone: list[str] = []
    left: dict[str, str] = {}
    for number in range(PASSES):
        found = _labelled(socket, run)
        if not found:
            break
        left = {}
        for words, target in found:
            try:
                request(socket, "DELETE", target, timeout=60)
                gone.append(words)
            except LookupError:
                continue  # gone by itself, or with another tag
            except RuntimeError as error:
                left[words] = str(error)
        if left and number and len(left) == len(found):
            break
    for folder in sorted((temporary or Path(tempfile.gettempdir())).glob(f"{FOLDERS}{run or '*'}")):
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            left[f"folder {folder}"] = "cannot be removed"
        else:
            gone.append(f"folder {folder}")
    return list(dict.fromkeys(gone)), [f"{words}: {why}" for words, why in left.items()]


def labelled(socket: Path, kind: str, run: str = "") -> list[dict[str, Any]]:
    """List the containers, networks or images that carry the label; the label is looked at again here."""
    wanted = f"{LABEL}={run}" if run else LABEL
    filters = quote(json.dumps({"label": [wanted]}))
    target = {"containers": "/containers/json?all=1&", "networks": "/networks?", "images": "/images/json?all=1&"}[kind]
    listed: list[dict[str, Any]] = request(socket, "GET", f"{target}filters={filters}") or []
    return [one for one in listed if LABEL in (one.get("Labels") or {}) and run in {"", one["Labels"][LABEL]}]


def _labelled(socket: Path, run: str) -> list[tuple[str, str]]:
    found = []
    for container in labelled(socket, "containers", run):
        name = (container.get("Names") or [container["Id"][:12]])[0].lstrip("/")
        found.append((f"container {name}", f"/containers/{container['Id']}?force=1&v=1"))
    found += [
        (f"network {network['Name']}", f"/networks/{network['Id']}") for network in labelled(socket, "networks", run)
    ]
    for image in labelled(socket, "images", run):
        tags = [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]
        # By id, once its tags are gone: an image with several tags is not removed by id unless forced.
        found += [(f"image {tag}", f"/images/{tag}?force=1&noprune=1") for tag in tags]
        found.append((f"image {image['Id'][7:19]}", f"/images/{image['Id']}?force=1&noprune=1"))
    return found
