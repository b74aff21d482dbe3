"""Rank what is hostile in real captures, by the product, by beacon scores and by outlier models on raw counts.

`python -m benchmarks.captures [--only NAME ...]` prints every table of the section on real captures in
`docs/validation.md`. The captures are no part of the project: they are looked for in `../shared/data`.
"""

import argparse
import multiprocessing
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console

from benchmarks.captures import zeek
from benchmarks.captures.place import LABELLED
from benchmarks.captures.rivals import outlier_models
from benchmarks.captures.runs import OTHERS, measured

PROCESSES = 2


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.captures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[*zeek.PATHS, *OTHERS], default=[*zeek.PATHS, *OTHERS])
    given = parser.parse_args()
    console = Console(width=190)
    if not LABELLED.is_dir():
        console.print("../shared/data is not there: no captures to measure")
        return
    if "ECOD" not in outlier_models():
        console.print("pyod is not installed: no figures of ECOD and COPOD")
    began = time.monotonic()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, spawn, warnings.simplefilter, ("ignore",)) as pool:
        for table in measured(given.only, pool):
            console.print(table)
    console.print(f"measured in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
