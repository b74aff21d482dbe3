"""A bucket of an object store as the place of the lake's files; importing it needs obstore."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from features.stores import Stored, StoreError

_RETRIES = 3


class Bucket:
    """Objects under `s3://BUCKET/PREFIX`. A PUT is atomic, so objects appear whole.

    Credentials, region and endpoint are those of the standard environment (`AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`): they are neither kept here nor told in errors. An
    endpoint that is named with `http://` is spoken to without TLS.

    Parameters
    ----------
    url
        Bucket and prefix.
    locks
        Folder of this machine in which writers find each other's locks.
    """

    def __init__(self, url: str, locks: Path) -> None:
        self.url = url.rstrip("/")
        self.locks = locks

    @property
    def options(self) -> Mapping[str, str]:
        """Options that polars reads objects with."""
        return {"aws_allow_http": str(_plain_http()).lower()}

    def list(self, folder: str | None = None) -> Iterator[Stored]:
        """Give the objects under one folder, or all, in no order."""
        with self._told():
            for chunk in obstore.list(self._opened, folder):
                yield from (Stored(found["path"], found["size"]) for found in chunk)

    def location(self, name: str) -> str:
        """Give the URL that polars reads an object from."""
        return f"{self.url}/{name}"

    def write(self, name: str, content: memoryview) -> None:
        """Put an object in one request."""
        with self._told():
            obstore.put(self._opened, name, content, use_multipart=False)

    def delete(self, names: Collection[str]) -> None:
        """Delete objects; those that are not there any more are passed over."""
        for name in names:
            try:
                with self._told():
                    obstore.delete(self._opened, name)
            except FileNotFoundError:
                continue

    def fetch(self, name: str, place: Path) -> None:
        """Download an object."""
        with self._told():
            content = obstore.get(self._opened, name)
            with place.open("wb") as file:
                file.writelines(content)

    def __reduce__(self) -> tuple[type["Bucket"], tuple[str, Path]]:
        return Bucket, (self.url, self.locks)  # what was opened holds credentials and threads: it stays here

    @cached_property
    def _opened(self) -> ObjectStore:
        # Opened when first used, thus never before a web server forks: its threads would not survive that.
        return from_url(self.url, client_options={"allow_http": _plain_http()}, retry_config={"max_retries": _RETRIES})

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Word the store's errors in a line. What the server answered may hold a key id: only its code is told."""
        try:
            yield
        except BaseError as error:
            code = re.search(r"<Code>(\w+)</Code>", str(error))
            what = code[1] if code else str(error).partition("\n")[0].partition(": <")[0]
            raise StoreError(
                f"cannot use the lake {self.url}: {what} (check WHARFINGER_LAKE, AWS_ENDPOINT_URL, AWS_REGION, "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
            ) from error


def _plain_http() -> bool:
    return os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
