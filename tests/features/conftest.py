from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def samples() -> Path:
    """Real telemetry that may be kept beside the tests."""
    return Path(__file__).parent / "samples"


@pytest.fixture
def shared() -> Path:
    """Real telemetry that may only be read where it lies."""
    if not SHARED.is_dir():
        pytest.skip("needs the telemetry collection in ../shared/data, which is not distributed")
    return SHARED
