"""What is told of coverage: a source on a host, or of one workload there."""

from datetime import datetime, timedelta

import msgspec

SILENT_AFTER = timedelta(hours=1)


class SourceCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What one source told of one host.

    `host` is empty where the source names none and it cannot be concluded. `unattributed` events have no workload that
    is known. `first_seen` is null before what arrived was counted. `silent_since` is null while it is heard.
    """

    source: str
    host: str
    workloads: int
    events: int
    unattributed: int
    first_seen: datetime | None
    last_seen: datetime
    silent_since: datetime | None


class WorkloadCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What one source told of one workload on one host; see `SourceCoverage`."""

    workload: str
    source: str
    host: str
    events: int
    first_seen: datetime
    last_seen: datetime
    silent_since: datetime | None
