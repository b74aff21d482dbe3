"""Time: real seconds of a capture become minutes, in every stamp of every record."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$")
NANO = 1_000_000_000
# A connection held open this long (real seconds) is paced by the life of the estate, so its duration is stretched too.
HELD_SECONDS = 5.0


@dataclass(frozen=True)
class Clock:
    """Map real time to stretched time: `t' = origin + factor * (t - start)`.

    Parameters
    ----------
    start
        Real Unix seconds at which the capture starts.
    factor
        Stretched seconds per real second, a whole number.
    origin
        Stretched Unix seconds of the start.
    """

    start: float
    factor: int
    origin: int

    def nanoseconds(self, real: int) -> int:
        """Return stretched Unix nanoseconds for real ones."""
        return self.origin * NANO + self.factor * (real - round(self.start * NANO))

    def seconds(self, real: float) -> float:
        """Return stretched Unix seconds for real ones."""
        return self.nanoseconds(round(real * NANO)) / NANO

    def now(self) -> float:
        """Return the stretched seconds since the start."""
        return (time.time() - self.start) * self.factor

    def stamp(self, real: float | None = None) -> str:
        """Return a real time, now by default, as a stretched ISO stamp."""
        return iso(self.nanoseconds(round((time.time() if real is None else real) * NANO)))

    def text(self, value: str) -> str:
        """Return a stretched stamp for a real ISO stamp; the engine's zero time and any other text stay as they are."""
        match = STAMP.match(value)
        if match is None or value.startswith("0001-"):
            return value
        whole = datetime.fromisoformat(match[1] + ("+00:00" if match[3] == "Z" else match[3]))
        fraction = int((match[2] or "0")[:9].ljust(9, "0"))
        return iso(self.nanoseconds((whole - EPOCH) // timedelta(seconds=1) * NANO + fraction))

    def document(self, value: Any) -> Any:  # noqa: ANN401 (any JSON)
        """Return a JSON document with every stamp in it stretched."""
        if isinstance(value, dict):
            return {key: self.document(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.document(inner) for inner in value]
        return self.text(value) if isinstance(value, str) else value

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return a Docker Engine event with `time` and `timeNano` stretched."""
        nano = self.nanoseconds(event["timeNano"])
        return {**event, "time": nano // NANO, "timeNano": nano}

    def record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a Zeek record with `ts` stretched, and `duration` where the connection was held open."""
        changed = {**record, "ts": round(self.seconds(record["ts"]), 6)}
        if record.get("duration", 0.0) >= HELD_SECONDS:
            changed["duration"] = round(record["duration"] * self.factor, 6)
        return changed


def iso(nanoseconds: int) -> str:
    """Return Unix nanoseconds as an ISO stamp in UTC with nine digits, as Docker writes them."""
    whole = EPOCH + timedelta(seconds=nanoseconds // NANO)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % NANO:09d}Z"
