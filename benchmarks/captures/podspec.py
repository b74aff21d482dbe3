"""Pod specifications against posture controls: does the danger of a container's settings tell who violates one."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.captures.network import OURS
from benchmarks.captures.place import LABELLED
from benchmarks.captures.rivals import Floats, outlier_models
from features.events import frame
from features.extractors.config import extractor
from features.kubernetes_objects import TEMPLATES, config_rows

PATH = LABELLED / "podspec" / "workloads_labelled.jsonl"
RESOURCES = {"Pod": "pods"} | {kind: resource for resource, (kind, _) in TEMPLATES.items()}
HALVES = ("development half", "held-out half")
# by what a control asks for, from its name alone; the first that fits
GROUPS = {
    "host and privilege": r"host-|hostpath|hostPort|hostprocess|docker-socket|privileg|capabilit|escalation|procmount"
    r"|sysctls|immutable|non-root|hardening|runasusername|mount-potential|sudo",
    "security profiles": r"seccomp|seLinux|fsgroup|supplementalgroups|gmsa",
    "control plane flags": r"^ensure-that|^etcd|psp-|rbac-enabled|audit-logs|insecure-port",
    "accounts and secrets": r"secret|credential|service-account|serviceaccount|roles|pvc|configmap",
    "network and exposure": r"ingress|exposure|exposed|network|dangling|service-with|unauthenticated|dashboard|ssh",
    "resources and images": r"",
}


@dataclass(frozen=True)
class Case:
    """Objects, the control they are tested against, and whether they violate it."""

    control: str
    violates: bool
    objects: tuple[dict[str, Any], ...]

    @property
    def group(self) -> str:
        """Group of the control."""
        return next(name for name, pattern in GROUPS.items() if re.search(pattern, self.control))

    @property
    def half(self) -> str:
        """Half of the controls: rules were written with sight of the development half alone."""
        return HALVES[int(hashlib.sha256(self.control.encode()).hexdigest(), 16) % len(HALVES)]


def load(path: Path = PATH) -> list[Case]:
    """Read the cases in their order."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Case(row["rule"], row["violates"], tuple(row["objects"])) for row in rows]


def tokens(case: Case) -> list[list[str]]:
    """Give the settings of every container, in the product's words."""
    rows = (
        row
        for made in case.objects
        if (resource := RESOURCES.get(made.get("kind", "")))
        for row in config_rows(resource, made.get("metadata", {}).get("namespace") or "default", made)
    )
    return [row["config"] for row in rows]


def score(cases: Sequence[Case]) -> dict[str, Floats]:
    """Score every case: the product's posture points, and outlier models on the number of settings of each field."""
    settings = [tokens(case) for case in cases]
    return {OURS: posture(settings), "number of settings": np.array([float(sum(map(len, s))) for s in settings])} | {
        name: model(raw(settings), raw(settings)) for name, model in outlier_models().items()
    }


def posture(settings: Sequence[list[list[str]]]) -> Floats:
    """Give the feature `config.posture` of each case: the danger of its most dangerous container."""
    rows = [
        {"ts": datetime(2026, 1, 5, tzinfo=UTC), "kind": "config", "workload": str(case), "container_id": f"{case}/{n}"}
        | {"config": config}
        for case, containers in enumerate(settings)
        for n, config in enumerate(containers)
    ]
    values = extractor.extract(frame(rows)).values.select(pl.col("workload").cast(pl.Int64), "config.posture")
    points = np.zeros(len(settings))
    points[values["workload"].to_numpy()] = values["config.posture"].fill_null(0.0).to_numpy()
    return points


def raw(settings: Sequence[list[list[str]]]) -> Floats:
    """Count the settings of each field."""
    counts = [Counter(token.partition("=")[0] for config in case for token in config) for case in settings]
    fields = sorted(set().union(*counts))
    return np.array([[float(count[field]) for field in fields] for count in counts])
