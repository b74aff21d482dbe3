"""HTTP POST to a receiver: verified, bounded in time and size, never redirected, and its failures told apart."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from service.outputs.certificates import cause, trusting
from service.outputs.credentials import one_of, read_secret
from service.outputs.errors import DeliveryError
from service.outputs.notices import product_version, shorten
from service.outputs.output import Output, Surroundings
from service.outputs.urls import Url, check_url

TIMEOUT = urllib3.Timeout(connect=5, read=15)
MOST_ANSWER = 2_048  # bytes read of an answer: enough to say what was wrong with a message
_SHOWN_ANSWER = 200
_TRANSIENT = (408, 429)


class HttpOutput(Output, frozen=True, kw_only=True):
    """An output that posts to an address.

    `authorization_env` or `authorization_file` hold the whole value of the header `Authorization`, such as
    `Bearer abc`. `ca_file` is a PEM file of the only authorities to trust, in place of the machine's.
    """

    url: Url
    authorization_env: str | None = None
    authorization_file: str | None = None
    ca_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be posted to."""
        check_url(self.url)
        one_of(self.authorization_env, self.authorization_file, "authorization")

    def post(
        self, body: bytes, headers: Mapping[str, str], surroundings: Surroundings, *, hidden: Sequence[str] = ()
    ) -> None:
        """Post a message to the configured address, with the configured authorisation; no error repeats `hidden`."""
        secret = read_secret(self.authorization_env, self.authorization_file, surroundings.environ)
        allowed = {} if secret is None else {"Authorization": secret}
        post(
            self.url,
            body,
            {**headers, **allowed},
            surroundings.now,
            ca_file=self.ca_file,
            hidden=[*hidden, *([] if secret is None else [secret, *secret.split()])],
        )


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    now: datetime,
    *,
    ca_file: str | None = None,
    hidden: Sequence[str] = (),
) -> None:
    """Post a body once.

    Parameters
    ----------
    now
        Time that a date in `Retry-After` is counted from.
    hidden
        Secrets that the answer may repeat, to be left out of the error.

    Raises
    ------
    DeliveryError
        If it was not answered with 2xx. Permanent for 3xx, and for 4xx other than 408 and 429.
    """
    host = urlsplit(url).netloc
    sent = {"Content-Type": "application/json", "User-Agent": f"wharfinger/{product_version()}", **headers}
    context = trusting(ca_file) if urlsplit(url).scheme == "https" else None
    try:
        with urllib3.PoolManager(ssl_context=context, retries=False, timeout=TIMEOUT) as pool:
            answer = pool.request("POST", url, body=body, headers=sent, redirect=False, preload_content=False)
            with answer:
                status, after = answer.status, answer.headers.get("Retry-After")
                # one packet's worth: who drips an answer byte by byte would otherwise hold up everything else
                told = answer.read1(MOST_ANSWER, decode_content=False)
    except (HTTPError, OSError, ValueError) as error:
        raise DeliveryError(f"cannot reach {host}: {cause(error)}") from error
    if 200 <= status < 300:  # noqa: PLR2004 -- the class of statuses that mean success
        return
    raise DeliveryError(
        f"{host} answered {status}{_words(told, hidden)}",
        permanent=300 <= status < 500 and status not in _TRANSIENT,  # noqa: PLR2004 -- redirections and refusals
        retry_after=retry_after(after, now),
    )


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read the header `Retry-After` (RFC 9110, 10.2.3), seconds or a date, as seconds from now; None if it is neither.

    Examples
    --------
    >>> retry_after("120", datetime(2026, 9, 14, tzinfo=UTC))
    120.0
    >>> retry_after("Mon, 14 Sep 2026 00:01:00 GMT", datetime(2026, 9, 14, tzinfo=UTC))
    60.0
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)


def _words(told: bytes, hidden: Sequence[str]) -> str:
    text = " ".join(told.decode("utf-8", "replace").split())
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, "***")
    return f": {shorten(text, _SHOWN_ANSWER)}" if text else ""
