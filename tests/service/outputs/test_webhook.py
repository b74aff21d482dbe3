import hashlib
import hmac
import json
import re
import ssl
from typing import Any

import pytest

from service.outputs.errors import DeliveryError
from service.outputs.notices import Notice
from service.outputs.output import Surroundings
from service.outputs.webhook import Webhook
from tests.service.outputs.conftest import NOW, Certificates, Receiver, free_port, listening, make_notice


def webhook(url: str, **options: Any) -> Webhook:
    return Webhook(name="hook", url=url, **({"secret_env": "KEY"} | options))


def test_message_is_signed_and_named(receiver: Receiver, notice: Notice, surroundings: Surroundings) -> None:
    """A receiver can tell who sent what and when from the signature, and a repeat from the idempotency key."""
    webhook(receiver.url + "/in?x=1", authorization_env="TOKEN").send(notice, surroundings)

    (request,) = receiver.requests
    moment, digest = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.headers["Wharfinger-Signature"]).groups()  # type: ignore[union-attr]
    signed = moment.encode() + b"." + request.body
    assert int(moment) == int(NOW.timestamp())
    assert digest == hmac.new(b"a secret key", signed, hashlib.sha256).hexdigest()
    assert request.headers["Idempotency-Key"] == notice.id
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["Content-Type"] == "application/json"
    assert request.path == "/in?x=1"


def test_body_says_everything(receiver: Receiver, notice: Notice, surroundings: Surroundings) -> None:
    """The body holds the alert as the API gives it, and the words for people."""
    webhook(receiver.url).send(notice, surroundings)

    told = json.loads(receiver.requests[0].body)
    assert told["alert"]["strongest"]["reasons"][0]["value"] == "203.0.113.66:4444"
    assert told["title"] == "high alert: docker:shop/api"
    assert told["techniques"] == ["T1571", "T1071.001"]
    for part in ("first contact with", "node-1", "https://wharfinger.example/"):
        assert part in told["text"]
    assert "announced" not in told["text"]


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "after"),
    [
        (400, {}, True, None),
        (404, {}, True, None),
        (307, {"Location": "/elsewhere"}, True, None),
        (408, {}, False, None),
        (429, {"Retry-After": "90"}, False, 90.0),
        (429, {"Retry-After": "Mon, 14 Sep 2026 10:01:00 GMT"}, False, 59.75),
        (503, {"Retry-After": "soon"}, False, None),
        (500, {}, False, None),
    ],
)
def test_refusals_are_told_apart(
    receiver: Receiver,
    surroundings: Surroundings,
    status: int,
    headers: dict[str, str],
    permanent: bool,  # noqa: FBT001 -- a case of the table
    after: float | None,
) -> None:
    """What another try cannot help is permanent; a receiver may say when to come again; nothing is redirected."""
    receiver.answers.append((status, headers, b"no"))

    with pytest.raises(DeliveryError, match=f"answered {status}: no") as refused:
        webhook(receiver.url).send(make_notice(), surroundings)
    assert (refused.value.permanent, refused.value.retry_after) == (permanent, after)
    assert len(receiver.requests) == 1


def test_answer_is_not_read_whole(receiver: Receiver, notice: Notice, surroundings: Surroundings) -> None:
    """A receiver cannot fill memory or the database with its answer, nor have a secret repeated in the error."""
    receiver.answers.append((500, {}, b"you sent Bearer t0ken " + b"x" * 5_000_000))

    with pytest.raises(DeliveryError) as refused:
        webhook(receiver.url, authorization_env="TOKEN").send(notice, surroundings)
    assert len(str(refused.value)) < 300
    assert "t0ken" not in str(refused.value)


def test_nobody_listens(notice: Notice, surroundings: Surroundings) -> None:
    """A receiver that cannot be reached is tried again."""
    with pytest.raises(DeliveryError, match=r"cannot reach 127\.0\.0\.1:\d+: Connection refused") as refused:
        webhook(f"http://127.0.0.1:{free_port()}").send(notice, surroundings)
    assert not refused.value.permanent


def test_certificate_is_verified(notice: Notice, surroundings: Surroundings, certificates: Certificates) -> None:
    """Over https the receiver's certificate must come from an authority that is trusted; `ca_file` names one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)

    with listening(context) as secure:
        with pytest.raises(DeliveryError, match="its certificate is not trusted"):
            webhook(secure.url).send(notice, surroundings)
        webhook(secure.url, ca_file=str(certificates.authority)).send(notice, surroundings)

    assert len(secure.requests) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"secret_env": "MISSING"}, "no secret in the environment variable MISSING"),
        ({"secret_env": None, "secret_file": "/nonexistent"}, "cannot read the secret in the file /nonexistent"),
        ({"url": "https://127.0.0.1:1", "ca_file": "/nonexistent"}, "cannot read ca_file /nonexistent: No such file"),
    ],
)
def test_what_is_missing_is_named(
    receiver: Receiver, notice: Notice, surroundings: Surroundings, options: dict[str, Any], said: str
) -> None:
    """A secret or an authority that is not there keeps the message back, to be sent once it is."""
    with pytest.raises(DeliveryError, match=said) as refused:
        webhook(**({"url": receiver.url} | options)).send(notice, surroundings)
    assert not refused.value.permanent
    assert not receiver.requests


@pytest.mark.parametrize("url", ["ftp://x.example", "x.example", "https://", "https://a:b@x.example", "http://[::1"])
def test_bad_address_is_refused_at_once(url: str) -> None:
    """An address that cannot be posted to, or holds a password, is refused without being repeated."""
    with pytest.raises(ValueError, match="the url") as refused:
        webhook(url)
    assert "x.example" not in str(refused.value)
