from data.capture.stretch import Clock

CLOCK = Clock(start=1_700_000_000.0, factor=80, origin=1_800_000_000)


def test_seconds_become_stretched_seconds_from_the_origin() -> None:
    """One real second after the start is `factor` seconds after the origin."""
    assert CLOCK.seconds(1_700_000_001.0) == 1_800_000_080.0


def test_an_event_keeps_its_nanoseconds() -> None:
    """An event's `timeNano` is stretched exactly and `time` is its whole seconds."""
    event = CLOCK.event({"Action": "start", "time": 1_700_000_000, "timeNano": 1_700_000_000_000_000_003})
    assert event == {"Action": "start", "time": 1_800_000_000, "timeNano": 1_800_000_000_000_000_240}


def test_every_stamp_of_a_document_is_stretched_and_nothing_else() -> None:
    """Stamps at any depth move; the engine's zero time, numbers and other text stay."""
    document = {
        "Created": "2023-11-14T22:13:21.000000001Z",
        "State": {"StartedAt": "2023-11-14T23:13:21+01:00", "FinishedAt": "0001-01-01T00:00:00Z"},
        "Env": ["A=2023-11-14"],
        "Pid": 7,
    }
    assert CLOCK.document(document) == {
        "Created": "2027-01-15T08:01:20.000000080Z",
        "State": {"StartedAt": "2027-01-15T08:01:20.000000000Z", "FinishedAt": "0001-01-01T00:00:00Z"},
        "Env": ["A=2023-11-14"],
        "Pid": 7,
    }


def test_only_held_connections_get_a_longer_duration() -> None:
    """A short exchange keeps its measured duration; a connection held open lasts as long as the life around it."""
    short = CLOCK.record({"ts": 1_700_000_000.0, "duration": 0.25})
    held = CLOCK.record({"ts": 1_700_000_000.0, "duration": 45.0})
    assert (short["duration"], held["duration"]) == (0.25, 3600.0)
