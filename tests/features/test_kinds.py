"""Kinds of new items."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features.keyed_tables import Column, KeyedTable
from features.kinds import kind, rarities, rarity

START = datetime(2026, 9, 7, tzinfo=UTC)


def _items(*items: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(items, schema={"feature": pl.String, "item": pl.String}, orient="row")


@pytest.fixture
def learnt() -> pl.DataFrame:
    """Thirty windows that met a new memory limit, and one that met a new user."""
    settings = [f"Memory={n}" for n in range(30)] + ["User=10001"]
    return rarities(
        _items(*(("config.new_setting", setting) for setting in settings)).with_columns(
            pl.lit("docker:shop/api").alias("workload"),
            pl.Series("first_seen", [START + timedelta(hours=n) for n in range(31)]),
        )
    )


@pytest.mark.parametrize(
    ("feature", "item", "expected"),
    [
        ("config.new_setting", "PidsLimit=-1", "PidsLimit"),
        ("config.new_privilege", "Bind=/:/host:rw", "Bind"),
        ("control.new_command", "/usr/bin/curl -sv http://x", "curl"),
        ("network.new_edge", "a.example:4444", "4444"),
        ("network.new_destination", "a.example", None),
    ],
)
def test_the_kind_is_the_declared_part_of_an_item(feature: str, item: str, expected: str | None) -> None:
    """Fields of settings, programs of commands and ports of edges are kinds; a destination has none."""
    assert _items((feature, item)).select(kind()).item() == expected


def test_a_kind_met_every_week_adds_little_and_one_never_met_adds_much(learnt: pl.DataFrame) -> None:
    """Another memory limit adds nothing, a kind met once some bits, and a kind never met the most."""
    asked = _items(
        ("config.new_setting", "Memory=5"),
        ("config.new_setting", "User=0"),
        ("config.new_setting", "PidsLimit=-1"),
        ("network.new_destination", "a.example"),
    )

    memory, user, limit, destination = rarity(
        Column.of(asked["feature"]),
        Column.of(asked["item"]),
        KeyedTable(learnt, "feature", "kind"),
        KeyedTable(learnt, "feature"),
    )

    assert memory == destination == 0
    assert 3 < user < limit == pytest.approx(5)


def test_what_one_window_meets_of_a_kind_counts_once() -> None:
    """Ten labels of one release are one sighting of labels."""
    labels = _items(*(("config.new_setting", f"Label={n}") for n in range(10)))

    told = rarities(labels.with_columns(pl.lit("a").alias("workload"), pl.lit(START).alias("first_seen")))

    assert told["met"].to_list() == [1]
