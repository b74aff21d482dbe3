import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings

from features.ingest import read_events
from features.lake import Lake
from models.detector import Detector
from models.training import train
from service.emulation.estate.__main__ import arguments, run
from tests.estates import Estate
from tests.object_store import serving

# Tests are never timed: on a busy machine neither an example nor its making may fail for being slow.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A change is judged by the same examples each time; `make explore` looks for others.
settings.register_profile("repeatable", UNTIMED, derandomize=True)
settings.register_profile("exploring", UNTIMED, derandomize=False)
settings.load_profile("repeatable")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Fail a skipped engine test in CI, where the engine must be there: a skip would hide that nothing was tested."""
    report = yield
    if (
        report.skipped
        and os.environ.get("CI")
        and item.get_closest_marker("engine")
        and not hasattr(report, "wasxfail")
    ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"an engine test must not skip in CI: {reason}"
    return report


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Twelve workloads over three days, two of them to learn from, with six attacks on the third."""
    folder = tmp_path_factory.mktemp("estate")
    start = datetime(2026, 9, 7, tzinfo=UTC)
    run(arguments(["--out", str(folder), "--workloads", "12", "--days", "3", "--learn-days", "2", "--flows", "20000"]))
    lake = Lake(folder / "lake")
    for batch in read_events([folder / "learn", folder / "watch"]):
        lake.append(batch.events)
    return Estate(folder, lake, start + timedelta(days=2))


@pytest.fixture(scope="session")
def detector(estate: Estate) -> Detector:
    """A detector trained on the estate's first two days."""
    return train(estate.lake, until=estate.until)[0]


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real server that speaks S3, and the environment in which it is reached."""
    if sys.platform != "linux":
        pytest.skip("the wheel of the object store is for Linux")
    with serving(tmp_path_factory.mktemp("objects")) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield
