"""Somebody who teaches the baseline day by day, and a workload that merely grows, through refreshes."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from features.extraction import extract_days
from features.windows import ITEMS_SCHEMA, VALUES_SCHEMA, Windows, merge_windows, only_met
from models.detector import Detector
from models.quarantine import Guard
from models.scores import SEVERITIES, Score
from models.training import fit
from tests.estates import Estate

DAY = timedelta(days=1)
QUIET, TAUGHT = 6, 14  # days before the attacker comes, and days that he teaches
REFRESHES = (6, 10, 13, 17, 20)  # days after which is learnt
LOUD = SEVERITIES[SEVERITIES.index("high") :]
SENT = ("network.bytes_out", "network.external_bytes_out")


def told_over(windows: Windows, days: int) -> Windows:
    """Repeat two days of windows until there are that many."""

    def shifted(table: pl.DataFrame, by: timedelta) -> pl.DataFrame:
        return table.with_columns(pl.col("window_start") + by)

    repeats = [2 * number * DAY for number in range(days // 2)]
    parts = [Windows(shifted(windows.values, by), shifted(windows.items, by), windows.facts) for by in repeats]
    return merge_windows(parts)


def attacked(victim: str, since: datetime, days: int) -> Windows:
    """Let a victim call home every two hours, meet one new site a day, send a quarter more to each, and at last all."""
    items, sent = [], []
    for day in range(days):
        met = since + day * DAY + timedelta(hours=10, minutes=10 * (day % 6))
        site = f"site{day}.example"
        items += [(victim, met, "network.new_destination", site), (victim, met, "network.new_edge", f"{site}:443")]
        calls = [since + day * DAY + timedelta(hours=hour) for hour in range(1, 24, 2)]
        items += [(victim, at, "network.new_edge", "home.example:443") for at in calls]
        sent.append((victim, met, 1e5 * 1.25**day * (100 if day == days - 1 else 1)))
    met_items = pl.DataFrame([(*row, 1) for row in items], ITEMS_SCHEMA, orient="row")
    values = pl.DataFrame(sent, VALUES_SCHEMA | {SENT[0]: pl.Float64()}, orient="row")
    return merge_windows(
        [only_met(met_items), Windows(values.with_columns(pl.col(SENT[0]).alias(SENT[1])), met_items.clear(), NO_FACTS)]
    )


NO_FACTS = pl.DataFrame(schema={"workload": pl.String(), "image_repository": pl.String()})


def grown(windows: Windows, workload: str, since: datetime) -> Windows:
    """Let a workload send two per cent more each day, and get a release each week."""
    age = (pl.col("window_start") - since).dt.total_seconds() / DAY.total_seconds()
    more = [
        pl.when(pl.col("workload") == workload).then(pl.col(name) * 1.02**age).otherwise(name).alias(name)
        for name in (*SENT, "network.bytes_in", "network.connections")
    ]
    releases = [
        (workload, since + day * DAY + DAY / 2, "config.new_setting", f"Image=own:{day}", 1) for day in range(3, 21, 7)
    ]
    released = only_met(pl.DataFrame(releases, ITEMS_SCHEMA, orient="row"))
    return merge_windows([Windows(windows.values.with_columns(more), windows.items, windows.facts), released])


def loudest(detector: Detector, windows: Windows, workload: str) -> Score:
    return max((one for one in detector.score(windows) if one.workload == workload), key=lambda one: one.bits)


@pytest.mark.slow
def test_a_patient_attacker_is_caught_and_growth_is_not(estate: Estate) -> None:
    """After two weeks of teaching the real attack is high; growth and releases are high once in five at most."""
    until = estate.until
    learnt = merge_windows(list(extract_days(estate.lake, until - 2 * DAY, until)))
    since = until - 2 * DAY
    busy = learnt.values.filter(pl.col(SENT[0]) > 0, pl.col("workload").str.starts_with("docker:"))
    victim, grower = busy.group_by("workload").len().sort("len", "workload", descending=True)["workload"][:2]
    quiet = told_over(learnt, QUIET + TAUGHT + 2)
    theirs = attacked(victim, since + QUIET * DAY, TAUGHT + 1)
    whole = merge_windows([grown(quiet, grower, since), theirs])

    held, loud = Guard().held, 0
    for day in REFRESHES:
        now = since + day * DAY
        detector, _ = fit(whole.between(None, now), since, now, budget=1.0, seed=0, guard=Guard(held=held))
        held = detector.held if detector.held is not None else held
        today = whole.between(now, now + DAY)
        loud += loudest(detector, today, grower).severity in LOUD

    taught, _ = fit(whole.between(None, now), since, now, budget=1.0, seed=0, guard=Guard(lasting=timedelta(0)))
    assert loudest(detector, today, victim).severity in LOUD
    assert loudest(detector, today, victim).bits > loudest(taught, today, victim).bits - 0.5
    assert loud <= 1
