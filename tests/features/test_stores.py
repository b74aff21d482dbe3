import pickle
from pathlib import Path

import pytest

from features.buckets import Bucket
from features.stores import Directory, Store, Stored, StoreError
from tests.object_store import BUCKET, KEY, SECRET


def put(store: Store, name: str, content: bytes) -> None:
    store.write(name, memoryview(content))


def test_files_are_listed_with_their_sizes(store: Store) -> None:
    """All files, or those of one folder; a folder that is not there holds none."""
    assert list(store.list()) == []
    put(store, "one/a", b"12")
    put(store, "two/b", b"345")

    assert sorted(store.list()) == [Stored("one/a", 2), Stored("two/b", 3)]
    assert list(store.list("two")) == [Stored("two/b", 3)]
    assert list(store.list("three")) == []


def test_file_of_the_same_name_is_replaced(store: Store, tmp_path: Path) -> None:
    """Writing again leaves the last content, and nothing else."""
    put(store, "one/a", b"12")
    put(store, "one/a", b"345")

    store.fetch("one/a", tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == b"345"
    assert list(store.list()) == [Stored("one/a", 3)]


def test_deleting_what_is_gone_is_no_error(store: Store) -> None:
    """Of two that delete the same, neither fails."""
    put(store, "one/a", b"12")

    store.delete(["one/a", "one/b"])
    store.delete(["one/a"])

    assert list(store.list()) == []


def test_fetching_what_is_gone_says_so(store: Store, tmp_path: Path) -> None:
    """A file that was deleted is told apart from a store that fails."""
    with pytest.raises(FileNotFoundError):
        store.fetch("one/a", tmp_path / "here")

    assert not (tmp_path / "here").exists()


def test_store_goes_to_another_process(store: Store) -> None:
    """A copy through pickle sees the same files, and carries no credentials."""
    put(store, "one/a", b"12")

    pickled = pickle.dumps(store)

    assert list(pickle.loads(pickled).list()) == [Stored("one/a", 2)]  # noqa: S301 -- pickled above
    assert SECRET.encode() not in pickled


def test_missing_directory_is_an_error(tmp_path: Path) -> None:
    """A lake that somebody removed is not taken for an empty one."""
    store = Directory(tmp_path / "lake")
    store.root.rmdir()

    with pytest.raises(FileNotFoundError):
        next(store.list(), None)


@pytest.mark.slow
@pytest.mark.usefixtures("object_store")
@pytest.mark.parametrize(
    ("bucket", "name", "value", "told"),
    [
        (BUCKET, "AWS_SECRET_ACCESS_KEY", "guessed-secret", "SignatureDoesNotMatch"),
        (BUCKET, "AWS_ACCESS_KEY_ID", "guessed-key", "InvalidAccessKeyId"),
        ("elsewhere", "AWS_REGION", "us-east-1", "NoSuchBucket"),
        (BUCKET, "AWS_ENDPOINT_URL", "http://127.0.0.1:9", "error sending request"),
    ],
)
def test_unusable_bucket_is_one_clear_line(
    bucket: str, name: str, value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the lake, the reason and the variables to look at, and neither key nor secret."""
    monkeypatch.setenv(name, value)
    store = Bucket(f"s3://{bucket}/lake", tmp_path)

    with pytest.raises(StoreError, match=told) as raised:
        list(store.list())

    message = str(raised.value)
    assert f"s3://{bucket}/lake" in message
    assert "AWS_SECRET_ACCESS_KEY" in message
    assert "\n" not in message
    assert not [secret for secret in (KEY, SECRET, "guessed") if secret in message]
