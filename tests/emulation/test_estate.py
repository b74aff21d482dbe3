"""The simulated estate: the same bytes for the same seed, any size, in the forms that the sources write."""

import gzip
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.ingest import read_events
from features.lake import Lake
from service.emulation.estate.__main__ import arguments, run
from service.emulation.estate.world import World
from service.emulation.labels import Labels, read_labels
from service.emulation.scenario import library
from service.emulation.splits import Purpose

SMALL = ["--workloads", "20", "--days", "3", "--learn-days", "2", "--flows", "6000"]


def made(folder: Path, *options: str) -> World:
    return run(arguments(["--out", str(folder), *options]))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def labels_of(folder: Path) -> Labels:
    return read_labels(folder, Purpose.TUNING)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Twenty workloads over three days, the last of them watched."""
    return made(tmp_path_factory.mktemp("small"), *SMALL)


@pytest.mark.slow
def test_a_seed_gives_the_same_bytes_and_another_gives_others(small: World, tmp_path: Path) -> None:
    """Every file of two runs is the same, packed ones too; another seed changes every stream of it."""
    for folder, seed in (("b", "1"), ("c", "8")):
        made(tmp_path / folder, *SMALL, "--seed", seed)

    first, again, other = (content(folder) for folder in (small.options.out, tmp_path / "b", tmp_path / "c"))
    assert first == again
    assert any(name.endswith(".gz") for name in first)
    assert all(first[name] != other[name] for name in first.keys() & other.keys())


def test_a_small_estate_suffers_the_most_important_scenarios(small: World) -> None:
    """Twenty workloads have ten attacks, all in the watched days, and benign acts that look like them on both sides."""
    labels = labels_of(small.options.out)
    played = {attack.scenario for attack in labels.attacks if not attack.chain}
    assert len(played) + len(small.ledger.unplayed) == 10
    assert {"I01", "N01", "D01", "E01"} <= played
    assert all(labels.watch <= attack.start < attack.end < labels.end for attack in labels.attacks)
    assert {act.start < labels.watch for act in labels.lookalikes} == {True, False}


@pytest.mark.slow
def test_two_seeds_cover_both_variants_of_every_scenario(tmp_path: Path) -> None:
    """Each estate plays every scenario once; the next seed plays the other variant."""
    tried = set()
    for seed in ("1", "2"):
        options = ["--workloads", "60", "--days", "2", "--learn-days", "1", "--flows", "10000", "--seed", seed]
        world = made(tmp_path / seed, *options)
        tried |= {(a.scenario, str(a.variant)) for a in labels_of(tmp_path / seed).attacks if not a.chain}
        tried |= {tuple(text.split(":")[0].split()) for text in world.ledger.unplayed}

    assert tried == {(name, variant) for name in library() for variant in ("high", "dampened")}


@pytest.mark.slow
def test_an_estate_of_hundreds_of_workloads_can_be_written_and_read(tmp_path: Path) -> None:
    """Six hundred workloads on dozens of machines: no two machines or containers share an address."""
    world = made(tmp_path, "--workloads", "600", "--days", "2", "--learn-days", "1", "--flows", "20000")

    lake = Lake(tmp_path / "lake")
    for batch in read_events([tmp_path / "learn", tmp_path / "watch"]):
        lake.append(batch.events)
    low, high = lake.span() or (None, None)
    assert low is not None
    assert high is not None
    assert datetime(2026, 9, 6, 23, tzinfo=UTC) < low < high < datetime(2026, 9, 9, 1, tzinfo=UTC)
    machines = [engine.address for engine in world.engines.values()]
    assert len(set(machines)) == len(machines) > 50
    running = [c.address for s in world.services if s.kind != "pod" for c in s.containers if c.address]
    assert len(set(running)) == len(running) > 600
    workloads = {service.workload for service in world.services}
    assert len(workloads) > 500


@pytest.mark.parametrize("log", ["conn", "dns", "ssl", "http"])
def test_logs_are_written_as_zeek_writes_them(small: World, log: str) -> None:
    """One file a day, in the order in which connections end, with the ids of one connection in all of its logs."""
    files = sorted(path for path in small.options.out.rglob(f"{log}.*.log*"))
    assert [path.name for path in files] == [
        f"{log}.2026-09-07.log", f"{log}.2026-09-08.log", f"{log}.2026-09-09.log.gz",
    ]  # fmt: skip
    for path in files:
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
        day = datetime.fromisoformat(f"{path.name.split('.')[1]}T00:00:00Z").timestamp()
        rows = [line for line in text.splitlines() if not line.startswith("#")]
        over = [_over(line, log) for line in rows]
        assert len(rows) > 20
        assert over == sorted(over)
        assert day <= over[0] <= over[-1] < day + 86_400


def _over(line: str, log: str) -> float:
    if not line.startswith("{"):
        cells = line.split("\t")
        return float(cells[0]) + (float(cells[8]) if log == "conn" and cells[8] != "-" else 0.0)
    began = re.search(r'"ts":([\d.]+)', line)
    lasted = re.search(r'"duration":([\d.]+)', line) if log == "conn" else None
    return round(float(began[1]) + (float(lasted[1]) if lasted else 0.0), 5) if began else 0.0
