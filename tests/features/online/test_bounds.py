"""What is kept of a stream is bounded: in time, and in number for each workload."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from features.online import naming, trail, windows
from features.online.windows import OnlineWindows
from features.windows import WINDOW

START = datetime(2026, 9, 14, tzinfo=UTC)
API = "docker:shop/api"


def flow(after: timedelta, address: str = "203.0.113.7", **more: Any) -> dict[str, Any]:
    return {
        "kind": "flow", "ts": START + after, "workload": API, "dst_ip": address, "external": True, "uid": f"C{after}",
        "conn_state": "SF", "dst_port": 443, "proto": "tcp", "bytes_out": 10,
    } | more  # fmt: skip


def test_an_event_reopens_its_window_for_an_hour_and_counts_for_nothing_later() -> None:
    """A late event changes what is told of its window; one that is later still is counted as dropped."""
    online = OnlineWindows()
    online.add([flow(timedelta(0)), flow(timedelta(minutes=65))])

    first = online.close(START + timedelta(hours=1))
    online.add([flow(timedelta(minutes=1))])
    again = online.close(START + timedelta(minutes=70))
    online.add([flow(timedelta(minutes=2))])
    after = online.close(START + timedelta(minutes=70))

    assert first.values["network.connections"].to_list() == [1.0]
    assert again.values["network.connections"].to_list() == [2.0, 1.0]
    assert after.values.is_empty()
    assert online.dropped == {"late": 1}


def test_nothing_is_given_twice_that_did_not_change() -> None:
    """Closing again gives nothing."""
    online = OnlineWindows()
    online.add([flow(timedelta(0))])

    assert len(online.close(START + WINDOW).values) == 1
    assert online.close(START + WINDOW).values.is_empty()


def test_a_workload_that_nobody_hears_of_any_more_leaves_nothing_behind() -> None:
    """Two days after its last event all that was kept of its traffic is gone."""
    online = OnlineWindows()
    dns = {"kind": "dns", "query": "a.shop.example", "answers": ["203.0.113.7"]}
    online.add([flow(timedelta(0), **more) for more in ({}, dns, {"kind": "tls"}, {"kind": "http"})])
    online.close(START + WINDOW)
    online.add([flow(timedelta(days=2), "203.0.113.8", workload="docker:shop/db")])
    online.close(START + timedelta(days=2, hours=2))
    kept = repr_of(online)

    assert "docker:shop/db" in kept
    assert API not in kept
    assert "203.0.113.7" not in kept


def repr_of(thing: object) -> str:
    """Write out all that hangs on an object."""
    if isinstance(thing, dict):
        return "".join(repr_of(key) + repr_of(value) for key, value in thing.items())
    if isinstance(thing, list | tuple | set):
        return "".join(map(repr_of, thing))
    slots = [getattr(thing, name) for name in getattr(thing, "__slots__", ())]
    held = [*getattr(thing, "__dict__", {}).values(), *slots] if type(thing).__module__.startswith("features") else []
    return repr_of(held) if held else repr(thing)


def test_a_flood_is_cut_off_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of a window, subjects of a day and connections of the fleet beyond their bounds are dropped by name."""
    monkeypatch.setattr(windows, "EVENTS", 5)
    monkeypatch.setattr(trail, "SUBJECTS", 4)
    monkeypatch.setattr(naming, "ENTRIES", 3)
    online = OnlineWindows()
    online.add([flow(timedelta(seconds=n), f"198.51.100.{n}") for n in range(8)])

    found = online.close(START + WINDOW)

    assert found.values["network.connections"].to_list() == [5.0]
    assert online.dropped == {"events": 3, "names": 2, "subjects": 2}
