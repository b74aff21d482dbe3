"""Requests to the service and their answers: verified, bounded in time, and sent again only where that is safe."""

import gzip
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from service.api.schemas.problems import Problem
from service.client.errors import AnswerError, ClientError, UnreachableError
from service.outputs.certificates import cause
from service.outputs.notices import product_version
from service.outputs.urls import check_url

_LARGE = 4_096  # bytes from which compression saves more than it costs
_LONGEST_WAIT = 60  # seconds that a `Retry-After` is obeyed for
_MOST_KEPT = 64  # answers kept for their ETags
_CONNECT = 10.0  # seconds
T = TypeVar("T")


class Transport:
    """Sends requests to one service.

    Parameters
    ----------
    url
        Address of the service, without a path or with that of a proxy.
    key
        API key or token; None to send none.
    ca_file
        PEM file of the only authorities to trust, in place of the machine's.
    timeout
        Seconds to wait for an answer.
    retries
        How often a request that may be sent again is sent again.

    Raises
    ------
    ValueError
        If the address is none, or holds a password.
    ClientError
        If the file of authorities cannot be read.
    """

    def __init__(self, url: str, *, key: str | None, ca_file: str | None, timeout: float, retries: int) -> None:
        check_url(url)
        self._url = url.rstrip("/")
        self._headers = {"User-Agent": f"wharfinger/{product_version()}", "Accept-Encoding": "gzip"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key.strip()}"
        try:
            trusted = ssl.create_default_context(cafile=ca_file) if url.startswith("https") else None
        except OSError as error:
            raise ClientError(f"cannot read the authorities in {ca_file}: {cause(error)}") from error
        waits = urllib3.Timeout(connect=min(_CONNECT, timeout), read=timeout)
        self._pool = urllib3.PoolManager(ssl_context=trusted, timeout=waits)
        # of what the service itself answers, `Retry-After` says whether asking again can help
        self._again = urllib3.Retry(
            retries,
            status_forcelist=(502, 504),
            allowed_methods=None,
            backoff_factor=0.5,
            backoff_jitter=0.5,
            backoff_max=_LONGEST_WAIT,
            retry_after_max=_LONGEST_WAIT,
            raise_on_status=False,
        )
        # What never reached the service may always be sent again; only a connection can show that.
        self._once = self._again.new(read=0, status=0, other=0)
        self._never = self._again.new(total=0)
        self._kept: dict[str, tuple[str, bytes]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> bytes:
        """Send a request and give the body of its answer.

        Parameters
        ----------
        path
            Path with its variables filled in and percent-encoded.
        query
            Parameters; those that are None are left out.
        body
            JSON, unless the headers say otherwise; compressed if it is large.
        repeatable
            Whether doing it twice is the same as doing it once; by default GET is. With None for a GET, an answer that
            did not change is not transferred again.

        Raises
        ------
        AnswerError
            If the answer is no success.
        UnreachableError
            If there is none.
        """
        given = {name: msgspec.to_builtins(value) for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        sent = self._headers | ({} if body is None else {"Content-Type": "application/json"}) | dict(headers or {})
        kept = self._kept.get(target) if method == "GET" else None
        if kept is not None:
            sent["If-None-Match"] = kept[0]
        if body is not None and len(body) >= _LARGE:
            body, sent["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        again = self._again if (method == "GET" if repeatable is None else repeatable) else self._once
        answer = self._send(method, target, body, sent, again)
        if kept is not None and answer.status == HTTPStatus.NOT_MODIFIED:
            return kept[1]
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise AnswerError(f"{method} {path}", _problem(answer))
        if method == "GET" and (tag := answer.headers.get("ETag")):
            self._keep(target, tag, answer.data)
        return answer.data

    def look(self, path: str) -> bytes:
        """Ask once, whatever the answer, as `ask` does."""
        answer = self._send("GET", path, None, self._headers, self._never)
        if answer.status != HTTPStatus.OK:
            raise AnswerError(f"GET {path}", _problem(answer))
        return answer.data

    def _send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], again: urllib3.Retry
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                method, self._url + target, body=body, headers=headers, retries=again, redirect=False
            )
        except (HTTPError, OSError, ValueError) as error:
            raise UnreachableError(f"cannot reach {self._url}: {cause(error)}") from error

    def _keep(self, target: str, tag: str, body: bytes) -> None:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[target] = tag, body


def _problem(answer: urllib3.BaseHTTPResponse) -> Problem:
    try:
        return msgspec.json.decode(answer.data, type=Problem)
    except msgspec.DecodeError:
        place = answer.headers.get("Location")
        told = f"it is at {place} now" if place else "something other than the service answered"
        return Problem(title=answer.reason or "", status=answer.status, detail=told)


def decode(raw: bytes, kind: type[T]) -> T:
    """Read an answer.

    Raises
    ------
    ClientError
        If it is another than was asked for.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise ClientError(f"the service is of another version than this client: {error}") from error
