import copy
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples"
ODD = [
    None,
    True,
    -1,
    0,
    1e300,
    2**70,
    "",
    "x",
    "\x00",
    "é" * 300,
    "9" * 40,
    "NaN",
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"a": [1]},
]


def records() -> list[dict[str, Any]]:
    """Take some real records of each bundled file."""
    found = []
    for path in sorted(SAMPLES.glob("*.gz")):
        with gzip.open(path, "rt") as file:
            lines = [line for _, line in zip(range(200), file, strict=False)]
        found += [json.loads(line) for line in lines[::20]]
    return found


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the place of every value within a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in inner for found in [(*path, key), *places(part, (*path, key))]]


def spoil(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Replace or remove up to three values of a record."""
    spoilt = copy.deepcopy(record)
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice(places(spoilt) or [("x",)])
        at: Any = spoilt
        for step in way:
            at = at[step]
        if chance.random() < 0.2 and isinstance(at, dict):
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(chance.choice(ODD))
    return spoilt


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample is not beside the tests")
@pytest.mark.parametrize("seed", range(3))
def test_spoilt_records_harm_no_others(client: FlaskClient, seed: int) -> None:
    """Real records with values replaced by odd ones are scored or refused one by one; the request never fails."""
    chance = random.Random(seed)  # noqa: S311 -- reproducible
    good = records()
    for _ in range(10):
        events = [spoil(chance.choice(good), chance) for _ in range(30)] + [chance.choice(good)]
        answer = client.post("/v1/scores", json={"events": events})
        assert answer.status_code == 200, events
