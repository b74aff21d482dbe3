"""What is kept for each window of each workload, and dropped window by window."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Found:
    """What one window of a workload shows.

    Parameters
    ----------
    values
        Counts and magnitudes by feature.
    items
        How often each item was met, by feature and item.
    heard
        Whether the window is one even if nothing was measured or met.
    """

    values: dict[str, float] = field(default_factory=dict)
    items: dict[tuple[str, str], int] = field(default_factory=dict)
    heard: bool = False

    def count(self, feature: str, amount: float = 1.0) -> None:
        """Add to a count."""
        self.values[feature] = self.values.get(feature, 0.0) + amount

    def meet(self, feature: str, item: str | None, times: int = 1) -> None:
        """Count an item; None is none."""
        if item is not None:
            self.items[feature, item] = self.items.get((feature, item), 0) + times

    def copy(self) -> "Found":
        """Give a copy that can be added to."""
        return Found(dict(self.values), dict(self.items), self.heard)

    def __bool__(self) -> bool:
        """Say whether there is a window at all."""
        return bool(self.heard or self.values or self.items)


class PerWindow(Generic[T]):
    """Records by window and workload.

    Parameters
    ----------
    make
        Makes an empty record.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._records: dict[int, dict[str, T]] = {}

    def at(self, workload: str, window: int) -> T:
        """Give the record of a window, made if there is none."""
        records = self._records.setdefault(window, {})
        record = records.get(workload)
        if record is None:
            record = records[workload] = self._make()
        return record

    def get(self, workload: str, window: int) -> T | None:
        """Give the record of a window, if there is one."""
        return self._records.get(window, {}).get(workload)

    def within(self, since: int, until: int) -> Iterator[tuple[str, int, T]]:
        """List workload, window and record in since <= window < until, windows in ascending order."""
        for window in sorted(window for window in self._records if since <= window < until):
            yield from ((workload, window, record) for workload, record in self._records[window].items())

    def forget(self, before: int) -> None:
        """Drop what lies before a window."""
        for window in [window for window in self._records if window < before]:
            del self._records[window]
