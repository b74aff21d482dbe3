"""What reasons cost beside the score alone, and how long a stored model takes to load.

The windows are of an estate of the development split, attacks among them. The score alone is evidence, forests and
calibration; with reasons come words, back-off levels, attributions and counterfactuals. Both are measured in turns, in
CPU time; a ratio is of medians. Loading checks signature and hashes, and makes the detector.

Run `python benchmarks/serving_speed.py [--rounds 7]`, about half a minute.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from features.evidence import weigh
from features.extraction import closed_until, extract_days
from features.lake import Lake
from features.windows import KEY, Windows, merge_windows
from models.detector import Detector
from models.registry import Registry
from models.training import train
from service.emulation.estate.__main__ import arguments, run
from service.jobs.progress import silent
from service.jobs.validate import ingested

WATCH = datetime(2026, 9, 14, tzinfo=UTC)
WINDOWS = (1, 500, 5_000)


def part(windows: Windows, count: int) -> Windows:
    """Keep the first windows, over all workloads."""
    values = windows.values.sort("window_start", "workload").head(count).sort(KEY)
    return Windows(values, windows.items.join(values.select(KEY), on=KEY, how="semi"), windows.facts)


def in_turns(rounds: int, *actions: Callable[[], object]) -> list[float]:
    """Give the median CPU time of each action in milliseconds, after one turn that does not count."""
    taken: list[list[float]] = [[] for _ in actions]
    for turn in range(rounds + 1):
        for times, action in zip(taken, actions, strict=True):
            began = time.process_time()
            action()
            if turn:
                times.append((time.process_time() - began) * 1000)
    return [statistics.median(times) for times in taken]


def stored(folder: Path, detector: Detector) -> Callable[[], Detector]:
    """Save a detector, and give what loads it."""
    key = Ed25519PrivateKey.generate()
    registry = Registry(folder, key=key, trusted=[key.public_key()])
    version = registry.save(detector.artefact(), created_at=WATCH)
    return lambda: Detector.from_artefact(registry.load(version), version)


def learnt(folder: Path) -> tuple[Detector, Windows]:
    """Write an estate, learn its first week, and give the windows that follow."""
    run(arguments(["--out", str(folder), "--workloads", "100", "--flows", "200000"]))
    lake: Lake = ingested(folder, silent)
    until = closed_until(lake)
    if until is None:
        raise SystemExit("the estate is empty")
    return train(lake, until=WATCH)[0], merge_windows(list(extract_days(lake, WATCH, until)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    table = Table(title="CPU ms, medians")
    for column in ("windows", "score alone", "with reasons", "ratio"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        detector, windows = learnt(Path(folder) / "estate")
        for count in WINDOWS:
            asked = part(windows, count)
            alone, whole = in_turns(
                rounds,
                lambda asked=asked: detector.channels.bits(weigh(asked, detector.normal)),
                lambda asked=asked: detector.score(asked),
            )
            table.add_row(f"{count:,}", f"{alone:.1f}", f"{whole:.1f}", f"{whole / alone:.2f}")
        (load,) = in_turns(rounds, stored(Path(folder) / "models", detector))
    Console().print(table)
    Console().print(f"load and verify: {load:.1f} ms; bars: ratio under 2, load under 20 ms")


if __name__ == "__main__":
    main()
