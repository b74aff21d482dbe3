"""A simulated estate that tests stand on."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.lake import Lake


@dataclass(frozen=True)
class Estate:
    """A small simulated estate: its telemetry on disk, and the lake it was ingested into."""

    folder: Path
    lake: Lake
    until: datetime
