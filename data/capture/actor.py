"""The program inside the range's containers: serves and asks as its plan says, with text and zeros only.

It runs on the standard library alone and is copied into images as `/app/actor.py`, with its plan beside it as JSON:
`{"factor", "start", "serve": [...], "loops": [...]}`. Periods in a plan are stretched seconds; the program divides
them by `factor`. Hours of the day count from `start` (Unix seconds), which is midnight of the stretched first day.
"""

import contextlib
import json
import math
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import asks  # type: ignore[import-not-found]  # found beside this file in the image
import serves  # type: ignore[import-not-found]

Plan = dict[str, Any]
DAWN, DUSK = 6.0, 22.0


def daylight(hour: float) -> float:
    """Return the share of full activity at an hour of the day: 0.3 at night, 1 in the early afternoon."""
    if not DAWN <= hour <= DUSK:
        return 0.3
    return 0.3 + 0.7 * math.sin(math.pi * (hour - DAWN) / (DUSK - DAWN))


def wait_for_route(seconds: float = 10.0) -> None:
    """Wait until the default route is there: the range sets it right after the start."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rows = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
        if any(row[1] == "00000000" for row in rows):
            return
        time.sleep(0.02)


def pause(loop: Plan, plan: Plan, generator: random.Random) -> float:
    """Return the real seconds until a loop's next turn."""
    gap = float(loop["every"]) / float(plan["factor"])
    if loop.get("mode") == "poisson":
        gap = generator.expovariate(1.0 / gap)
    else:
        gap *= 1.0 + float(loop.get("jitter", 0.02)) * generator.uniform(-1.0, 1.0)
    if loop.get("rhythm"):
        gap /= daylight((time.time() - float(plan["start"])) * float(plan["factor"]) / 3600.0 % 24.0)
    return gap


def turn(loop: Plan, plan: Plan, generator: random.Random) -> None:
    """Ask once; a peer that is away, restarting or refusing is part of life."""
    with contextlib.suppress(OSError, ValueError, asks.Broken):
        asks.KINDS[loop["kind"]](loop, plan, generator)


def repeat(loop: Plan, plan: Plan) -> None:
    """Run one loop for ever, or `times` times."""
    generator = random.Random()  # noqa: S311 (the pace of traffic)
    if not loop.get("now"):
        time.sleep(generator.random() * float(loop["every"]) / float(plan["factor"]))
    left = int(loop.get("times", -1))
    while left != 0:
        turn(loop, plan, generator)
        left -= 1
        if left != 0:
            time.sleep(pause(loop, plan, generator))


def main(path: str) -> None:
    """Serve and ask; return when every loop has ended and nothing is served."""
    plan: Plan = json.loads(Path(path).read_text()) if path != "-" else json.load(sys.stdin)
    for service in plan.get("serve", []):
        serves.start(service, plan, turn)
    if plan.get("route", True):
        wait_for_route()
    threads = [threading.Thread(target=repeat, args=(loop, plan), daemon=True) for loop in plan.get("loops", [])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if plan.get("serve"):
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "/app/plan.json")
