"""The vocabulary of scenarios: what an adversary does, in the fewest words from which telemetry follows.

Each step is a small typed record. The simulated estate and the live range interpret the same records; both are
benign, they leave the telemetry of an act and do none of its harm. Times are seconds after the scenario begins, sizes
are bytes.

Who a step happens to is named by `on`: `victim` is the workload the scenario chose (its first container), `foothold`
the container that an earlier `run` or `build` left behind, `host` the machine. Where traffic goes is named by `to`: a
name of the scenario's `[sites]`.
"""

from service.emulation.steps.containers import (
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
from service.emulation.steps.requests import Audit
from service.emulation.steps.traffic import Beacon, Contact, Echo, Inbound, Lookups, Relay, Scan, Session, Upload

AnyStep = (
    Pull
    | Registry
    | Run
    | Recreate
    | Update
    | Exec
    | Copy
    | Attach
    | Build
    | Image
    | Rename
    | Silence
    | Remove
    | Beacon
    | Session
    | Lookups
    | Scan
    | Upload
    | Contact
    | Echo
    | Relay
    | Inbound
    | Audit
)

__all__ = [
    "AnyStep",
    "Attach",
    "Audit",
    "Beacon",
    "Build",
    "Contact",
    "Copy",
    "Echo",
    "Exec",
    "Image",
    "Inbound",
    "Lookups",
    "Pull",
    "Recreate",
    "Registry",
    "Relay",
    "Remove",
    "Rename",
    "Run",
    "Scan",
    "Session",
    "Silence",
    "Update",
    "Upload",
]
