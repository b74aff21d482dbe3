"""What a baseline is not allowed to learn."""

from datetime import UTC, datetime, timedelta

import polars as pl

from features.expectations import Expectation
from features.windows import ITEMS_SCHEMA, KEY, WINDOW, Windows
from models.quarantine import HELD_SCHEMA, NAMELESS, Attack, Guard

START = datetime(2026, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WORKLOAD, EDGE = "docker:shop/api", "network.new_edge"


def windows(met: list[tuple[int, str]]) -> Windows:
    """Lay out windows in which a workload met something, by day."""
    items = pl.DataFrame(
        [(WORKLOAD, START + day * DAY, EDGE, item, 1) for day, item in met], ITEMS_SCHEMA, orient="row"
    )
    values = items.select(KEY).unique().sort(KEY).with_columns(pl.lit(7.0).alias("network.bytes_out"))
    return Windows(values, items, pl.DataFrame(schema={"workload": pl.String, "image_repository": pl.String}))


def held(*rows: tuple[int, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(WORKLOAD, START + day * DAY, EDGE if item else "network.bytes_out", item) for day, item in rows],
        HELD_SCHEMA,
        orient="row",
    )


def test_what_was_strange_is_not_learnt_but_remembered() -> None:
    """A held item is left out wherever it was met, and waits; that something was met is learnt once, nameless."""
    met = windows([(1, "usual"), (2, "odd"), (3, "odd"), (3, "usual")])

    withheld = Guard().withhold(met, held((2, "odd")), START + 4 * DAY)

    assert withheld.kept.items["item"].to_list() == ["usual", NAMELESS, "usual"]
    assert withheld.waiting.items["item"].to_list() == ["odd", "odd"]


def test_a_strange_volume_is_not_learnt() -> None:
    """The value that made a window strange is left out; that of the next window is learnt."""
    withheld = Guard().withhold(windows([(1, "a"), (2, "a")]), held((1, None)), START + 4 * DAY)

    assert withheld.kept.values["network.bytes_out"].to_list() == [None, 7.0]


def test_quarantine_ends() -> None:
    """After its time what was strange is learnt, counted from when it was first met and not from each time anew."""
    met = windows([(1, "odd"), (16, "odd")])
    strange = held((1, "odd"), (16, "odd"))

    before = Guard().withhold(met, strange, START + 15 * DAY)
    after = Guard().withhold(met, strange, START + 15 * DAY + WINDOW)

    assert before.kept.items["item"].to_list() == [NAMELESS]
    assert len(after.kept.items) == 2
    assert after.held.is_empty()


def test_what_a_person_clears_is_learnt_at_once() -> None:
    """An expected verdict lets the baseline learn what is held."""
    word = Expectation("v", WORKLOAD, START, START + 9 * DAY, items=[(EDGE, "odd")])
    met = windows([(2, "odd")])

    withheld = Guard(expected=[word]).withhold(met, held((2, "odd")), START + 3 * DAY)

    assert withheld.kept.items["item"].to_list() == ["odd"]
    assert withheld.waiting.items.is_empty()


def test_an_attack_is_never_learnt() -> None:
    """What an attack was made of stays out of the baseline when quarantine is long over, and is as new as ever."""
    attack = Attack(WORKLOAD, START + DAY, START + DAY + WINDOW, [(EDGE, "evil")])
    met = windows([(1, "evil"), (40, "evil"), (40, "usual")])

    withheld = Guard(attacks=[attack]).withhold(met, held(), START + 50 * DAY)

    assert withheld.kept.items["item"].to_list() == ["usual"]
    assert withheld.kept.values["network.bytes_out"].to_list() == [None, 7.0]
    assert withheld.waiting.items.is_empty()
