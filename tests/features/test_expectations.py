"""What somebody vouched for, taken out of windows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.expectations import Expectation, literal, part
from features.windows import FACTS_SCHEMA, ITEMS_SCHEMA, VALUES_SCHEMA, WINDOW, Windows

START = datetime(2026, 9, 14, tzinfo=UTC)
DAY = timedelta(days=1)
LEARNT = pl.DataFrame({"workload": ["docker:shop/api-blue"], "image_repository": ["shop/api"]})


def windows(items: list[tuple[str, int, str, str]], amounts: Sequence[tuple[str, int, float]] = ()) -> Windows:
    """Lay out items (workload, number of the window, feature, item) and bytes sent (workload, number, bytes)."""
    met = pl.DataFrame(
        [(name, START + number * WINDOW, feature, item, 1) for name, number, feature, item in items],
        ITEMS_SCHEMA,
        orient="row",
    )
    sent = pl.DataFrame(
        [(name, START + number * WINDOW, value) for name, number, value in amounts],
        VALUES_SCHEMA | {"network.bytes_out": pl.Float64()},
        orient="row",
    )
    keys = (
        pl.concat([met.select(list(VALUES_SCHEMA)), sent.select(list(VALUES_SCHEMA))])
        .unique()
        .sort("workload", "window_start")
    )
    values = keys.join(sent, on=list(VALUES_SCHEMA), how="left", maintain_order="left")
    return Windows(
        values, met, pl.DataFrame({"workload": ["docker:shop/api"], "image_repository": ["shop/api"]}, FACTS_SCHEMA)
    )


def expectation(**given: object) -> Expectation:
    return Expectation(**({"id": "c1", "workload": "docker:shop/api", "since": START, "until": START + DAY} | given))  # type: ignore[arg-type]


def test_only_what_is_named_is_explained() -> None:
    """Of two new destinations in one window the announced one is explained, the other is not."""
    met = windows(
        [("docker:shop/api", 0, "network.new_edge", item) for item in ("203.0.113.6:443", "203.0.113.66:443")]
    )

    parted = part(met, [expectation(items=[("network.new_edge", "203.0.113.6:443")])], LEARNT)

    assert parted.unexplained.items["item"].to_list() == ["203.0.113.66:443"]
    assert parted.explained.items["item"].to_list() == ["203.0.113.6:443"]
    assert parted.named["explained"].to_list() == ["c1"]


def test_a_pattern_knows_no_wildcard_but_the_star() -> None:
    """`*` stands for any text, every other character for itself."""
    met = windows(
        [("docker:shop/api", 0, "network.new_name", item) for item in ("a.b.example", "a.bxexample", "b.example")]
    )

    parted = part(met, [expectation(items=[("network.new_name", "*.b.example")])], LEARNT)

    assert parted.explained.items["item"].to_list() == ["a.b.example"]


def test_a_quoted_item_is_no_pattern() -> None:
    """What was met is quoted by verdicts: a command with stars and brackets explains that command alone."""
    command = "cat [*] /etc/*"
    met = windows([("docker:shop/api", 0, "control.new_command", item) for item in (command, "cat [x] /etc/shadow")])

    parted = part(met, [expectation(items=[("control.new_command", literal(command))])], LEARNT)

    assert parted.explained.items["item"].to_list() == [command]


def test_an_expectation_ends_when_it_expires() -> None:
    """Windows before the expectation and from its end on are not explained."""
    met = windows([("docker:shop/api", number, "network.new_edge", "a:1") for number in (-1, 0, 143, 144)])

    parted = part(met, [expectation(items=[("network.new_edge", "a:1")])], LEARNT)

    assert parted.explained.items["window_start"].to_list() == [START, START + 143 * WINDOW]


def test_siblings_are_meant_too() -> None:
    """A verdict holds for workloads of the same image in the same cohort, and for no others."""
    names = ("docker:shop/api", "docker:shop/api-blue", "docker:shop/db", "docker:mail/api-blue")
    met = windows([(name, 0, "network.new_edge", "a:1") for name in names])

    siblings = expectation(items=[("network.new_edge", "a:1")], image_repository="shop/api", cohort="docker:shop")

    assert set(part(met, [siblings], LEARNT).explained.items["workload"]) == set(names[:2])


def test_a_volume_is_explained_up_to_the_one_vouched_for() -> None:
    """A larger volume than the one that was called expected is not explained."""
    sent = windows([], [("docker:shop/api", 0, 5e6), ("docker:shop/api", 1, 6e6)])

    parted = part(sent, [expectation(at_most={"network.bytes_out": 5e6})], LEARNT)

    assert parted.unexplained.values["network.bytes_out"].to_list() == [None, 6e6]
    assert parted.explained.values["network.bytes_out"].to_list() == [5e6]


CELLS = st.tuples(
    st.sampled_from(["w1", "w2"]),
    st.integers(0, 5),
    st.sampled_from(["network.new_edge", "network.new_name"]),
    st.sampled_from("abc"),
)


@given(
    st.lists(CELLS, unique=True),
    st.lists(
        st.tuples(st.sampled_from(["network.new_edge", "network.new_name"]), st.sampled_from(["a", "b", "*"])),
        max_size=3,
    ),
)
def test_nothing_is_lost_or_doubled(met: list[tuple[str, int, str, str]], items: list[tuple[str, str]]) -> None:
    """Every item is in exactly one of the two parts."""
    whole = windows(met)

    parted = part(whole, [expectation(workload="w*", items=items)], LEARNT)

    both = pl.concat([parted.unexplained.items, parted.explained.items])
    assert both.sort(pl.all()).equals(whole.items.sort(pl.all()))
    assert parted.unexplained.values.equals(whole.values)
