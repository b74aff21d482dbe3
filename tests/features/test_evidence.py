"""Evidence: surprising for whom, by how much, and standing on what."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features.baselines import learn
from features.evidence import Normal, weigh
from features.protocols import specs
from features.windows import FACTS_SCHEMA, ITEMS_SCHEMA, VALUES_SCHEMA, WINDOW, Windows

START = datetime(2026, 9, 7, tzinfo=UTC)
DAYS = 6
NOW = START + timedelta(days=DAYS)
DATABASE, CRAWLER, SIBLING, NEWCOMER = "docker:shop/db", "docker:shop/crawler", "docker:shop/api", "docker:shop/new"


def make(rows: list[tuple[str, datetime, dict[str, float], dict[str, list[str]]]]) -> Windows:
    values = [{"workload": w, "window_start": t} | numbers for w, t, numbers, _ in rows]
    items = [
        {"workload": w, "window_start": t, "feature": feature, "item": item, "count": 1}
        for w, t, _, met in rows
        for feature, names in met.items()
        for item in names
    ]
    numbers = {name: pl.Float64() for name, spec in specs().items() if spec.kind != "items"}
    return Windows(
        pl.DataFrame(values, schema=VALUES_SCHEMA | numbers).sort("workload", "window_start"),
        pl.DataFrame(items, schema=ITEMS_SCHEMA),
        pl.DataFrame(schema=FACTS_SCHEMA),
    )


@pytest.fixture(scope="module")
def normal() -> Normal:
    """A database with two peers, a crawler that meets a new domain in every window, an API that calls a vendor."""
    rows = []
    for number in range(int(timedelta(days=DAYS) / WINDOW)):
        at = START + number * WINDOW
        usual = {"network.connections": 10.0 + number % 3}
        rows += [
            (DATABASE, at, usual, {"network.new_destination": ["docker:shop/api", "docker:shop/replica"]}),
            (CRAWLER, at, usual, {"network.new_destination": [f"site{number}.example"]}),
            (SIBLING, at, usual, {"network.new_destination": [DATABASE, "vendor.example"]}),
        ]
    return Normal.of(learn(make(rows), START, NOW))


def bits(normal: Normal, workload: str, **met: Any) -> dict[str, float]:
    """Weigh one window and give its evidence by feature."""
    numbers = {name: value for name, value in met.items() if not isinstance(value, list)}
    named = {f"network.{name}": value for name, value in numbers.items()}
    items = {f"network.{name}": value for name, value in met.items() if isinstance(value, list)}
    evidence = weigh(make([(workload, NOW, named, items)]), normal)
    return dict(zip(specs(), evidence.bits[0].tolist(), strict=True))


def test_a_new_destination_surprises_a_database_and_not_a_crawler(normal: Normal) -> None:
    """The same first contact is worth much for who meets nothing new, and next to nothing for who always does."""
    database = bits(normal, DATABASE, new_destination=["attacker.example"])["network.new_destination"]
    crawler = bits(normal, CRAWLER, new_destination=["attacker.example"])["network.new_destination"]

    assert database > 7
    assert crawler < 2


def test_new_to_the_fleet_weighs_more_than_new_to_the_workload(normal: Normal) -> None:
    """A destination that a sibling knows is less surprising than one that nobody has met."""
    known_to_sibling = bits(normal, DATABASE, new_destination=["vendor.example"])["network.new_destination"]
    known_to_nobody = bits(normal, DATABASE, new_destination=["attacker.example"])["network.new_destination"]

    assert 0 < known_to_sibling < known_to_nobody


def test_what_is_known_does_not_surprise(normal: Normal) -> None:
    """The destinations of every day and the usual count carry no more evidence than a coin's toss or two."""
    usual = bits(normal, DATABASE, new_destination=["docker:shop/api"], connections=11.0)

    assert usual["network.new_destination"] < 1
    assert usual["network.connections"] < 2.5


def test_the_tail_never_ends(normal: Normal) -> None:
    """Each tenfold count is more surprising than the last: evidence does not saturate."""
    found = [bits(normal, DATABASE, connections=10.0**power)["network.connections"] for power in range(1, 9)]

    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert found[-1] < float("inf")


def test_a_newcomer_is_neither_silent_nor_flooded(normal: Normal) -> None:
    """A workload without history stands on its ancestors: what its project knows is no surprise, the unheard-of is."""
    ordinary = bits(normal, NEWCOMER, new_destination=["vendor.example"], connections=11.0)
    strange = bits(normal, NEWCOMER, new_destination=["attacker.example"])

    assert ordinary["network.new_destination"] < 2
    assert ordinary["network.connections"] < 6
    assert strange["network.new_destination"] > ordinary["network.new_destination"]


def test_a_feature_never_seen_in_training_is_not_waved_through(normal: Normal) -> None:
    """The first item ever of a feature that was silent through training is among the rarest things there are."""
    assert bits(normal, DATABASE, impersonation=["unknown on port 443/tcp"])["network.impersonation"] > 8


def test_what_stays_new_surprises_less_each_time(normal: Normal) -> None:
    """An item met again in later windows loses evidence, so that one novelty is not an alert for ever."""
    later = make([(DATABASE, NOW + n * WINDOW, {}, {"network.new_destination": ["new.example"]}) for n in range(5)])

    found = weigh(later, normal).bits[:, list(specs()).index("network.new_destination")].tolist()

    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 1


def test_several_new_things_at_once_surprise_more_than_one(normal: Normal) -> None:
    """A window that meets eight new destinations is rarer than one that meets one."""
    one = bits(normal, DATABASE, new_destination=["a1.example"])["network.new_destination"]
    eight = bits(normal, DATABASE, new_destination=[f"a{n}.example" for n in range(8)])["network.new_destination"]

    assert eight > one


def test_a_tag_only_surprises_when_it_moves() -> None:
    """A keyed item is judged by its key: a new tag is no moved tag, a known tag with another digest is one."""
    feature = "pulls.moved_tag"
    rows = [(SIBLING, START + n * WINDOW, {}, {feature: ["shop/api:1 sha256:aa"]}) for n in range(400)]
    normal = Normal.of(learn(make(rows), START, NOW))

    def moved(item: str) -> float:
        evidence = weigh(make([(SIBLING, NOW, {}, {feature: [item]})]), normal)
        return float(evidence.bits[0, list(specs()).index(feature)])

    assert moved("shop/api:2 sha256:bb") == 0
    assert moved("shop/api:1 sha256:bb") > 5


def test_many_settings_at_once_surprise_less_at_a_birth() -> None:
    """What comes in company at every birth is no burst at a birth, and is one later."""
    feature = "config.new_setting"
    born = [(f"docker:shop/job{n}", START + timedelta(days=2, hours=n)) for n in range(20)]
    rows: list[tuple[str, datetime, dict[str, float], dict[str, list[str]]]] = [
        (SIBLING, START + n * WINDOW, {}, {}) for n in range(int(timedelta(days=DAYS) / WINDOW))
    ]
    rows += [(name, at, {}, {feature: [f"Label={name}.{n}" for n in range(8)]}) for name, at in born]
    normal = Normal.of(learn(make(rows), START, NOW))
    settings = {feature: [f"Label=added.{n}" for n in range(8)]}

    evidence = weigh(make([(NEWCOMER, NOW, {}, settings), (SIBLING, NOW, {}, settings)]), normal)

    column = evidence.bits[:, list(specs()).index(feature)]
    newcomer, grown = (float(column[list(evidence.keys["workload"]).index(name)]) for name in (NEWCOMER, SIBLING))
    assert 0 < newcomer < grown - 3


def test_a_kind_that_many_have_is_no_rare_kind_though_it_never_changes() -> None:
    """Where all workloads have had a memory limit from the start, another one is no news; a first device is."""
    feature = "config.new_setting"
    flags = [(SIBLING, START + timedelta(days=4, hours=n), {}, {feature: [f"EnvKey=FLAG{n}"]}) for n in range(20)]
    limits = [(f"docker:shop/web{n}", START, {}, {feature: [f"Memory={n}"]}) for n in range(20)]
    normal = Normal.of(learn(make(flags + limits), START, NOW))

    evidence = weigh(
        make(
            [
                ("docker:shop/web0", NOW, {}, {feature: ["Memory=99"]}),
                (SIBLING, NOW, {}, {feature: ["Device=/dev/kvm"]}),
            ]
        ),
        normal,
    )

    kinds = dict(evidence.items.select("item", pl.col("bits")).iter_rows())
    assert kinds["Memory=99"] < kinds["Device=/dev/kvm"] - 3
