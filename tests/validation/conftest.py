from pathlib import Path

import pytest

from features.lake import Lake
from service.emulation.estate.__main__ import run
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.world import Options
from service.emulation.labels import read_labels
from service.emulation.splits import Purpose
from service.jobs.progress import silent
from service.jobs.validate import START, ingested
from service.validation.trial import Trial, try_out


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Telemetry of a small estate whose third day is attacked."""
    folder = tmp_path_factory.mktemp("validated")
    run(Options(folder, parse_iso(START), days=3, learn_days=2, workloads=30, flows=30_000, variants=("high",)))
    return folder


@pytest.fixture(scope="session")
def real_lake(small: Path) -> Lake:
    """Its events."""
    return ingested(small, silent)


@pytest.fixture(scope="session")
def real(small: Path, real_lake: Lake) -> Trial:
    """The estate as the detector scores it."""
    return try_out(real_lake, read_labels(small, Purpose.REPORT), budget=1.0)
