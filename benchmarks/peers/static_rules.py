"""Fixed rules without a baseline, in the manner of Falco's: each names a thing that is suspicious anywhere.

Rules are written against what the windows hold (commands, settings, peers, requests). A window's number is the priority
of its worst rule, and below that how many rules matched.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.windows import KEY, Windows


class Rule(NamedTuple):
    """A feature's items that match `pattern` are worth `priority`: 1 notice, 2 warning, 3 error, 4 critical."""

    name: str
    feature: str
    pattern: str
    priority: int


RULES = (
    Rule("terminal shell in container", "control.new_command", r"^(/bin/)?(ba|da|z)?sh( |$)", 1),
    Rule("package manager in container", "control.new_command", r"^(apt|apt-get|apk|yum|dnf|pip)( |$)", 1),
    Rule("read sensitive file", "control.new_command", r"/etc/shadow|/proc/1/environ|serviceaccount|\.ssh|\.pem", 2),
    Rule("network tool in container", "control.new_command", r"^(nc|ncat|netcat|nmap|socat|curl|wget)( |$)", 2),
    Rule("program run from a writable path", "control.new_command", r"/(tmp|dev/shm|var/tmp)/", 2),
    Rule("privileged container", "config.new_privilege", r"^Privileged=true", 2),
    Rule("sensitive mount", "config.new_privilege", r"^Bind=(/|/etc|/root|/var/run|/proc|/home|/boot)(/[^:]*)?:", 2),
    Rule("host namespace", "config.new_privilege", r"^(PidMode|NetworkMode|IpcMode)=host", 2),
    Rule("powerful capability", "config.new_privilege", r"^CapAdd=(SYS_ADMIN|SYS_PTRACE|SYS_MODULE|ALL)", 2),
    Rule("preloaded library", "config.new_privilege", r"LD_PRELOAD", 3),
    Rule("miner's pool", "network.new_edge", r":(3333|4444|5555|7777|14444)$", 4),
    Rule("port of a remote shell", "network.new_edge", r":(1337|4444|9001|31337)$", 3),
    Rule("cloud metadata", "network.new_edge", r"169\.254\.169\.254", 2),
    Rule("kubelet or engine API from a container", "network.new_edge", r":(10250|2375|2376|4243)$", 3),
    Rule("commit or import of an image", "pulls.image_action", r"commit|import|load", 2),
    Rule("copy into a container", "control.new_action", r"extract-to-dir", 1),
    Rule("exec or attach to a pod", "control.new_request", r"pods/(exec|attach|ephemeralcontainers)", 2),
    Rule("role or binding created", "control.new_request", r"create cluster(roles|rolebindings)", 2),
    Rule("secrets listed everywhere", "control.new_request", r"list secrets everywhere", 1),
    Rule("token created", "control.new_request", r"create serviceaccounts/token", 2),
)


def priorities(watched: Windows) -> NDArray[np.float64]:
    """Give the worst priority of each window and, as a fraction, how many rules matched, shape (windows,)."""
    matched = pl.concat(
        [
            watched.items.filter((pl.col("feature") == rule.feature) & pl.col("item").str.contains(rule.pattern))
            .select(KEY)
            .unique()
            .with_columns(pl.lit(float(rule.priority)).alias("priority"))
            for rule in RULES
        ]
    )
    worst = matched.group_by(KEY).agg(pl.col("priority").max() + pl.len() / (len(RULES) + 1))
    joined = watched.values.select(KEY).join(worst, on=list(KEY), how="left", maintain_order="left")
    return joined["priority"].fill_null(0).to_numpy().astype(np.float64)
