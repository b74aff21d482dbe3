"""What is tuned on stays apart from what is reported: nothing of one split occurs in another."""

import re
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.emulation.estate.__main__ import arguments, run
from service.emulation.estate.layouts import LAYOUTS
from service.emulation.estate.outside import Outside
from service.emulation.estate.pools import pools
from service.emulation.estate.variation import Variation
from service.emulation.estate.vocabulary import Vocabulary
from service.emulation.labels import Labels, read_labels
from service.emulation.scenario import library
from service.emulation.splits import DRAWS, Purpose, Split, SplitError, own, streams

PAIRS = list(combinations(Split, 2))


def estate(folder: Path, split: Split, seed: int) -> Path:
    options = ["--workloads", "20", "--days", "2", "--learn-days", "1", "--flows", "4000"]
    options += ["--scenarios", "I01", "N01", "N07", "D01"]
    run(arguments(["--out", str(folder), "--split", split, "--seed", str(seed), *options]))
    return folder


@pytest.fixture(scope="module")
def estates(tmp_path_factory: pytest.TempPathFactory) -> dict[Split, Path]:
    """One small estate of each split."""
    folder = tmp_path_factory.mktemp("splits")
    return {split: estate(folder / split, split, 3) for split in Split}


def test_whoever_tunes_is_refused_the_test_split(tmp_path: Path) -> None:
    """The labels of a test estate are for reports only; those of a development estate are for anyone."""
    span = ("2026-09-07T00:00:00Z", "2026-09-08T00:00:00Z", "2026-09-09T00:00:00Z")
    for split in Split:
        folder = tmp_path / split
        folder.mkdir()
        Labels.of((), (), split=split, seed=1, span=span, workloads=20).write(folder)

    with pytest.raises(SplitError, match="tune on development"):
        read_labels(tmp_path / Split.TEST, Purpose.TUNING)
    assert read_labels(tmp_path / Split.TEST, Purpose.REPORT).split is Split.TEST
    assert read_labels(tmp_path / Split.DEVELOPMENT, Purpose.TUNING).seed == 1


@given(names=st.lists(st.text(min_size=1), unique=True))
def test_every_name_belongs_to_one_split(names: list[str]) -> None:
    """The shares of the splits are all of a list, and have nothing in common."""
    shares = [own(names, split) for split in Split]

    assert sorted(name for share in shares for name in share) == sorted(names)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_words_put_together_stay_apart(one: Split, other: Split) -> None:
    """Two words of a split never read as two words of another: names are made of two."""

    def pairs(split: Split) -> set[str]:
        words = own(pools().all_words(), split)
        return {a + b for a, b in product(words, words)}

    assert not pairs(one) & pairs(other)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_name_occurs_in_two_splits(one: Split, other: Split) -> None:
    """Whatever the seeds: machines, projects, software services, adversaries, the company and its people."""

    def names(split: Split, seed: int) -> set[str]:
        random = streams(split, seed, 2)
        vocabulary = Vocabulary(split, random[0])
        outside = Outside(random[1], vocabulary)
        told = {LAYOUTS[DRAWS[split].layout].host(number) for number in range(1, 601)}
        told |= {vocabulary.project(number) for number in range(800)}
        told |= {vocabulary.container(random[0]) for _ in range(100)} | set(vocabulary.hiding)
        told |= set(vocabulary.stand_ins.values()) | set(vocabulary.prefixes)
        told |= {outside.usual().name for _ in range(400)} | {outside.vendor().name for _ in range(100)}
        return told | {outside.stranger(plausible=plausible).name for plausible in (True, False) for _ in range(40)}

    mine = set().union(*(names(one, seed) for seed in range(4)))
    others = set().union(*(names(other, seed) for seed in range(4)))

    assert len(mine) > 2_000
    assert not mine & others


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_what_is_written_has_nothing_of_another_split(estates: dict[Split, Path], one: Split, other: Split) -> None:
    """Machines, domains and projects in the telemetry itself are of one split alone."""

    def written(split: Split) -> set[str]:
        folder, told = estates[split], set()
        for path in folder.rglob("*.ndjson"):
            text = path.read_text(encoding="utf-8")
            told |= {path.stem} if path.stem.startswith("events-") else set()
            told |= set(re.findall(r'"com.docker.compose.project":"([^"]+)"', text)) - {"monitoring"}
            told |= set(re.findall(r"[\w.@-]+\.example", text))
        for path in folder.rglob("*.log"):
            told |= set(re.findall(r"[\w.-]+\.example", path.read_text(encoding="utf-8")))
        return told

    mine, others = written(one), written(other)

    assert min(len(mine), len(others)) > 20
    assert not mine & others


@pytest.mark.slow
def test_a_split_gives_the_same_bytes_again(estates: dict[Split, Path], tmp_path: Path) -> None:
    """The same split and seed write the same files, whenever they do; other splits write others."""

    def content(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = {split: content(folder) for split, folder in estates.items()}
    again = {split: content(estate(tmp_path / split, split, 3)) for split in Split}

    assert first == again
    assert len({files["labels.json"] for files in first.values()}) == len(Split)


@given(seed=st.integers(0, 2**32), split=st.sampled_from(list(Split)))
def test_numbers_of_scenarios_stay_within_the_spread(seed: int, split: Split) -> None:
    """Flags, texts, ports and counts below two stay; other numbers change by no more than the split allows."""
    spread = DRAWS[split].spread
    for scenario in library().values():
        variation = Variation([scenario], spread, np.random.default_rng(seed))
        for name, levels in scenario.parameters.items():
            value = levels.value("high")
            varied = variation(name, value)
            assert type(varied) is type(value)
            assert variation(name, value) == varied
            if isinstance(value, bool | str) or value in {0, 1} or "port" in name:
                assert varied == value
            elif isinstance(value, int):
                assert value < 2 or varied >= 2
                assert value / spread - 1 <= varied <= value * spread + 1
            else:
                assert min(value / spread, 0.95) - 1e-9 <= abs(varied) <= abs(value) * spread + 1e-9
