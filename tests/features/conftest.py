from pathlib import Path

import pytest

from features.buckets import Bucket
from features.lake import Lake
from features.stores import Directory, Store
from tests.object_store import BUCKET

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


@pytest.fixture(params=["directory", pytest.param("bucket", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty place for files: a directory, or a bucket of a real object store."""
    if request.param == "directory":
        return Directory(tmp_path / "lake")
    request.getfixturevalue("object_store")
    return Bucket(f"s3://{BUCKET}/{tmp_path.parent.name}/{tmp_path.name}", tmp_path)


@pytest.fixture
def lake(store: Store) -> Lake:
    return Lake(store)
