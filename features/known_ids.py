"""Ids of the events in files, kept in memory as far as there is room: a file never changes."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint64]
MOST_IDS = 8_000_000  # 64 MB: the files of a day with eight million events


class KnownIds:
    """The ids of files, those least recently asked for given up first.

    A search in ids that are in order costs the new events' number times a logarithm; a join would hash everything that
    is held, for each few new events anew.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[str, Ids] = OrderedDict()
        self._count = 0

    def __reduce__(self) -> tuple[type["KnownIds"], tuple[()]]:
        return KnownIds, ()  # what another process needs it reads

    def add(self, name: str, ids: Ids) -> None:
        """Keep the ids of a file."""
        self._count -= self._held.pop(name, ids[:0]).size
        self._held[name] = np.sort(ids)
        self._count += ids.size
        while self._count > MOST_IDS and len(self._held) > 1:
            self._count -= self._held.popitem(last=False)[1].size

    def among(self, ids: Ids, name: str, read: Callable[[], Ids]) -> NDArray[np.bool_]:
        """Tell which ids are those of events in a file; `read` is called for the file's ids unless they are held.

        Ids in ascending order are found four times as fast as others: the search stays where the last one was.
        """
        if name not in self._held:
            self.add(name, read())
        self._held.move_to_end(name)
        held = self._held[name]
        if not held.size:
            return np.zeros(ids.size, bool)
        found: NDArray[np.bool_] = held[np.searchsorted(held, ids).clip(max=held.size - 1)] == ids
        return found
