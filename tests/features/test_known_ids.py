import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import known_ids
from features.known_ids import Ids, KnownIds

IDS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20), max_size=40).map(lambda ids: np.array(ids, np.uint64))


@given(IDS, IDS)
def test_known_ids_are_those_of_the_file(asked: Ids, held: Ids) -> None:
    """For any ids, in any order, the answer is that of a set."""
    found = KnownIds().among(asked, "file", lambda: held)

    assert found.tolist() == [number in set(held.tolist()) for number in asked.tolist()]


def test_ids_are_read_once_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those least recently asked for make room, and are read again when they are asked for."""
    monkeypatch.setattr(known_ids, "MOST_IDS", 20)
    known, reads = KnownIds(), []

    def ask(name: str) -> None:
        def read() -> Ids:
            reads.append(name)
            return np.arange(10, dtype=np.uint64)

        assert known.among(np.array([3, 11], np.uint64), name, read).tolist() == [True, False]

    for name in ("a", "b", "a", "b", "a", "c", "a", "b"):
        ask(name)

    assert reads == ["a", "b", "c", "b"]
