"""What every extractor owes, whatever family it is of: parametrised over all that are found."""

from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest

from features.answers import Answers
from features.events import EPOCH, EVENT_SCHEMA, KINDS
from features.extraction import TRAFFIC, read_leases
from features.flows import NAMED, name_destinations
from features.leases import attribute
from features.protocols import FAMILIES, NOTHING, Extractor, LookingBack, extractors, specs
from features.windows import ITEMS_SCHEMA, KEY, WINDOW, floor_window, window_start
from tests.estates import Estate

LOOKING = {name: one for name, one in extractors().items() if isinstance(one, LookingBack)}


@pytest.fixture(scope="module")
def events(estate: Estate) -> pl.DataFrame:
    """Half a day of attributed events of every kind, the destinations of their flows named."""
    since = estate.until
    return named(attribute(estate.lake.read(since, since + timedelta(hours=12)), read_leases(estate.lake)))


def named(events: pl.DataFrame) -> pl.DataFrame:
    return name_destinations(events.drop(NAMED, strict=False), Answers.of(events))


@pytest.fixture(params=extractors().values(), ids=extractors().keys())
def extractor(request: pytest.FixtureRequest) -> Extractor:
    return request.param


def test_it_yields_exactly_what_it_declares(extractor: Extractor, events: pl.DataFrame) -> None:
    """Columns and item features are those of its specs, and each belongs to a known family."""
    found = extractor.extract(events)

    declared = {spec.name: spec for spec in extractor.specs}
    numbers = {name for name, spec in declared.items() if spec.kind != "items"}
    assert set(found.values.columns) - set(KEY) == numbers
    assert set(found.items["feature"]) <= declared.keys() - numbers
    assert dict(found.items.schema) == ITEMS_SCHEMA
    assert all(spec.family in FAMILIES and spec.unit and spec.meaning for spec in declared.values())
    assert all(spec.technique.startswith("T1") for spec in declared.values())


def test_it_finds_something_in_a_living_estate(extractor: Extractor, events: pl.DataFrame) -> None:
    """Half a day of an estate fills it with values and items: the other tests do not pass on emptiness."""
    found = extractor.extract(events)

    assert len(found.values) > 10
    assert len(found.items) > 10


def test_each_window_appears_once(extractor: Extractor, events: pl.DataFrame) -> None:
    """A workload's window has one row of values, and each item of a feature one row."""
    found = extractor.extract(events)

    assert not found.values.select(KEY).is_duplicated().any()
    assert not found.items.select(*KEY, "feature", "item").is_duplicated().any()


def test_no_events_give_no_windows(extractor: Extractor, events: pl.DataFrame) -> None:
    """An empty frame is answered with empty tables of the same columns."""
    found, usual = extractor.extract(events.clear()), extractor.extract(events)

    assert found.values.is_empty()
    assert found.items.is_empty()
    assert set(found.values.columns) == set(usual.values.columns)


def test_it_looks_at_kinds_that_there_are(extractor: Extractor, events: pl.DataFrame) -> None:
    """Without events of its kinds it finds nothing; and what it measures is of one class, so that no window has two."""
    others = events.filter(~pl.col("kind").is_in(list(extractor.kinds)))
    found = extractor.extract(others)

    assert set(extractor.kinds) <= set(KINDS)
    assert found.values.is_empty()
    assert found.items.is_empty()
    if any(spec.kind != "items" for spec in extractor.specs):
        assert len({kind in TRAFFIC for kind in extractor.kinds}) == 1


def test_windows_before_those_asked_for_do_not_matter(extractor: Extractor, events: pl.DataFrame) -> None:
    """Asked for windows from some time on, it finds in them what it finds when asked for all."""
    since = WINDOW * round((events["ts"].min() + timedelta(hours=6)).timestamp() / WINDOW.total_seconds()) + EPOCH
    later = pl.col("window_start") >= since
    whole, part = extractor.extract(events), extractor.extract(events, since)

    for table in ("values", "items"):
        columns = sorted(getattr(whole, table).columns)
        left, right = (getattr(found, table).filter(later).select(columns).sort(columns) for found in (whole, part))
        assert not left.is_empty()
        assert left.equals(right)


@pytest.mark.parametrize("looking", LOOKING.values(), ids=LOOKING)
def test_a_trail_tells_what_the_events_before_would(looking: LookingBack, events: pl.DataFrame) -> None:
    """In spans of three hours, each with the trail of those before, it finds what it finds in all events at once."""
    starts = [floor_window(events["ts"].min()) + timedelta(hours=3 * number) for number in range(1, 4)]
    whole, trail = looking.extract(events), NOTHING

    for start, end in pairwise([EPOCH, *starts, events["ts"].max() + WINDOW]):
        span = events.filter((pl.col("ts") >= start) & (pl.col("ts") < end))
        trail = looking.trail(span, trail)
        found = looking.extract(span, start, trail)
        told = (pl.col("window_start") >= start) & (pl.col("window_start") < end)
        for table in ("values", "items"):
            columns = sorted(getattr(whole, table).columns)
            left, right = (getattr(one, table).filter(told).select(columns).sort(columns) for one in (whole, found))
            assert left.equals(right)


def test_other_workloads_do_not_leak_in(extractor: Extractor, events: pl.DataFrame) -> None:
    """What a workload's windows hold does not change when events that do not concern it are taken away."""
    workload = "docker:shop/api" if "docker:shop/api" in events["workload"] else events["workload"].drop_nulls()[0]
    concerns = (pl.col("workload") == workload) | (pl.col("peer") == workload) | (pl.col("kind") == "dns")
    mine = pl.col("workload") == workload

    whole, alone = extractor.extract(events), extractor.extract(events.filter(concerns))

    for table in ("values", "items"):
        columns = getattr(whole, table).columns
        left, right = (
            getattr(found, table).filter(mine).select(sorted(columns)).sort(sorted(columns)) for found in (whole, alone)
        )
        assert left.equals(right)


def test_nothing_after_a_window_is_seen(extractor: Extractor, events: pl.DataFrame) -> None:
    """A window's features are the same whether or not later events are there."""
    until = events["ts"].min() + timedelta(hours=8)
    events = events.sort("ts", "event_id")
    cut = named(events.filter(pl.col("ts") < until))
    closed = pl.col("window_start") <= until - WINDOW

    for table in ("values", "items"):
        early, late = (getattr(extractor.extract(frame), table).filter(closed) for frame in (cut, events))
        columns = sorted(early.columns)
        assert early.select(columns).sort(columns).equals(late.select(columns).sort(columns))


def test_the_input_is_left_as_it_was(extractor: Extractor, events: pl.DataFrame) -> None:
    """Extracting twice from the same frame gives the same tables, and the frame is unchanged."""
    before = events.clone()

    first, second = extractor.extract(events), extractor.extract(events)

    assert events.equals(before)
    assert first.values.sort(KEY).equals(second.values.sort(KEY))


def test_features_are_named_after_their_family_and_once() -> None:
    """Feature names are unique, so that columns, docs and reasons can be found by them."""
    names = [spec.name for extractor in extractors().values() for spec in extractor.specs]

    assert sorted(names) == sorted(specs())
    assert all("." in name for name in names)


def test_windows_start_on_the_clock() -> None:
    """A window starts at a whole multiple of its length."""
    moment = pl.datetime_range(pl.datetime(2026, 9, 14, 9, 7), pl.datetime(2026, 9, 14, 9, 27), "10m", eager=True)
    starts = pl.DataFrame({"ts": moment.dt.replace_time_zone("UTC")}).select(window_start())["window_start"]

    assert starts.dt.strftime("%H:%M").to_list() == ["09:00", "09:10", "09:20"]
    assert EVENT_SCHEMA["ts"] == starts.dtype
