"""Replicas that change together, and one that changes alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.baselines import learn
from features.events import frame
from features.evidence import Evidence, Normal, columns, weigh
from features.extraction import extract_days
from features.lake import Lake
from features.protocols import Row
from features.windows import WINDOW, Windows, merge_windows

START = datetime(2026, 9, 7, tzinfo=UTC)
CHANGE = START + timedelta(days=3, hours=9)
LEARNT = START + timedelta(days=3)
WEB = "docker:shop/web"
REPLICAS = 3
IMAGE = "shop/web"


def snapshot(ts: datetime, container: str, *settings: str, image: str = IMAGE) -> Row:
    return {
        "ts": ts, "kind": "config", "action": "inspect", "source": "docker_inspect", "host": "h1", "workload": WEB,
        "container_id": container, "config": [f"Image=registry.example/{image}", "User=app", *settings],
        "image_registry": "registry.example", "image_repository": image,
    }  # fmt: skip


def end(ts: datetime, container: str) -> Row:
    return {
        "ts": ts, "kind": "lifecycle", "action": "die", "source": "docker_events", "host": "h1", "workload": WEB,
        "container_id": container,
    }  # fmt: skip


def remade(replicas: int, *settings: str, image: str = IMAGE, pause: timedelta = timedelta(seconds=30)) -> list[Row]:
    """Make so many of the replicas anew, one after the other."""
    acts = []
    for number in range(replicas):
        at = CHANGE + number * pause
        acts += [end(at, f"old{number}"), snapshot(at, f"new{number}", *settings, image=image)]
    return acts


def extracted(folder: Path, acts: list[Row]) -> Windows:
    """Extract the windows of replicas that were made on the first day, and of what happened to them since."""
    born = [snapshot(START + timedelta(minutes=number), f"old{number}") for number in range(REPLICAS)]
    daily = [
        row
        for hour in range(24 * 3)
        for row in (
            snapshot(START + timedelta(hours=hour, minutes=30), f"job{hour}") | {"workload": "docker:shop/job"},
            end(START + timedelta(hours=hour, minutes=31), f"job{hour}") | {"workload": "docker:shop/job"},
        )
    ]
    rows = [row | {"event_id": number} for number, row in enumerate([*born, *daily, *acts])]
    lake = Lake(folder)
    lake.append(frame(rows))
    return merge_windows(list(extract_days(lake, START, CHANGE + timedelta(hours=2))))


def items(windows: Windows, feature: str, at: datetime = CHANGE) -> set[str]:
    own = windows.between(at, at + WINDOW).items
    return set(own.filter((own["feature"] == feature) & (own["workload"] == WEB))["item"])


def drift(windows: Windows) -> float:
    own = windows.between(CHANGE, CHANGE + WINDOW).values
    return float(own.filter(own["workload"] == WEB)["config.drift"][0])


def judged(windows: Windows) -> Evidence:
    return weigh(windows.between(CHANGE, CHANGE + WINDOW), Normal.of(learn(windows, START, LEARNT)))


def test_a_setting_that_all_replicas_took_is_visible_and_weighs_little(tmp_path: Path) -> None:
    """What every standing replica of a known image has is told as rolled out, and below what one alone would weigh."""
    everywhere = judged(extracted(tmp_path / "all", remade(REPLICAS, "StopSignal=SIGINT")))
    alone = judged(extracted(tmp_path / "one", remade(1, "StopSignal=SIGINT")))

    rolled_out, new_setting = columns()["config.rolled_out"], columns()["config.new_setting"]
    assert rolled_out in everywhere.items["column"]
    assert 0 < everywhere.bits[0, rolled_out] < alone.bits[0, new_setting] / 2
    assert everywhere.bits[0, new_setting] == 0


def test_one_replica_that_changed_is_compared_with_siblings_made_days_ago(tmp_path: Path) -> None:
    """Siblings that no event has told of for days still stand, and the deviant differs from them."""
    windows = extracted(tmp_path, remade(1, "StopSignal=SIGINT"))

    assert drift(windows) == 1
    assert "StopSignal=SIGINT" in items(windows, "config.new_setting")
    assert "StopSignal=SIGINT" not in items(windows, "config.rolled_out")


def test_a_rollout_leaves_no_drift(tmp_path: Path) -> None:
    """Containers that the rollout ended are no siblings of those that it made."""
    assert drift(extracted(tmp_path, remade(REPLICAS, "StopSignal=SIGINT"))) == 0


def test_an_image_that_the_workload_never_ran_is_no_rollout(tmp_path: Path) -> None:
    """All replicas of a foreign image keep their full evidence."""
    windows = extracted(tmp_path, remade(REPLICAS, "StopSignal=SIGINT", image="stranger/web"))

    assert items(windows, "config.rolled_out") == set()


def test_a_privilege_is_never_rolled_out(tmp_path: Path) -> None:
    """That all replicas open the host makes it worse."""
    windows = extracted(tmp_path, remade(REPLICAS, "Privileged=true"))

    assert items(windows, "config.new_privilege") == {"Privileged=true"}
    assert "Privileged=true" not in items(windows, "config.rolled_out")


@pytest.mark.parametrize(("number", "deviates"), [(0, True), (1, True), (2, False)])
def test_a_window_knows_only_the_replicas_changed_by_its_end(number: int, *, deviates: bool, tmp_path: Path) -> None:
    """Of a rollout slower than a window, the first replicas deviate and the last one completes it."""
    windows = extracted(tmp_path, remade(REPLICAS, "StopSignal=SIGINT", pause=WINDOW))

    found = items(windows, "config.rolled_out", CHANGE + number * WINDOW)
    assert ("StopSignal=SIGINT" not in found) == deviates
