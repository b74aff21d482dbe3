"""Where the captures lie: beside the project, never within it, for most may not be passed on."""

import csv
from pathlib import Path

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
LABELLED = DATA / "labelled"

Edge = tuple[str, str, int]


def network_labels(path: Path = LABELLED / "network_labels.csv") -> dict[str, frozenset[Edge]]:
    """Read which edges (originator, responder, port) of which capture are the adversary's."""
    found: dict[str, set[Edge]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["dataset"], set()).add((row["orig_h"], row["resp_h"], int(row["resp_p"])))
    return {name: frozenset(edges) for name, edges in found.items()}
