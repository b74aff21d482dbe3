"""What the client sends, and how often, told by a receiver that answers as it is told to."""

import gzip
import json
import ssl
from typing import Any

import pytest

from service.client import AnswerError, Client, ClientError, UnreachableError
from service.client.transport import _LARGE
from tests.service.outputs.conftest import Certificates, Receiver, listening

BUSY = (503, {"Retry-After": "0"}, b'{"title": "Service Unavailable", "status": 503, "detail": "The spool is full."}')
NO_MODEL = (503, {}, b'{"title": "Service Unavailable", "status": 503, "detail": "There is no model yet."}')
FEATURES = b'{"features": []}'
NONE_SCORED = b'{"scores": [], "model": "m"}'
TAKEN = json.dumps(
    {"id": "i", "accepted": 1, "duplicate": 0, "ignored": 0, "rejected": 0, "outcomes": [], "sources": {}, "errors": []}
).encode()


def answer(body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, headers, body


def test_what_is_safe_is_sent_again(receiver: Receiver) -> None:
    """Reading, scoring and telemetry are repeated when the service is busy or a proxy cannot reach it."""
    client = Client(receiver.url, retries=2)
    receiver.answers[:] = [BUSY, (502, {}, b"<html>"), answer(FEATURES)]
    assert client.features() == []
    receiver.answers[:] = [BUSY, answer(NONE_SCORED)]
    assert client.score() == []
    receiver.answers[:] = [BUSY, answer(TAKEN)]
    assert client.send_events([{"a": 1}]).accepted == 1

    assert [one.path for one in receiver.requests] == ["/v1/features"] * 3 + ["/v1/scores"] * 2 + ["/v1/events"] * 2
    keys = [one.headers["Idempotency-Key"] for one in receiver.requests[-2:]]
    assert keys[0] == keys[1]


def test_each_batch_has_a_key_of_its_own(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same records sent twice are two requests: the second one learns that they were there already."""
    monkeypatch.setattr("service.client.sending.MOST_RECORDS", 1)
    receiver.answers[:] = [answer(TAKEN)] * 2
    Client(receiver.url).send_events([{"a": 1}, {"a": 1}])

    assert len({one.headers["Idempotency-Key"] for one in receiver.requests}) == 2


def test_what_is_not_safe_is_sent_once(receiver: Receiver) -> None:
    """A promotion that may have happened is not asked for again."""
    receiver.answers[:] = [BUSY]
    with pytest.raises(AnswerError, match="The spool is full"):
        Client(receiver.url).promote("v")

    assert len(receiver.requests) == 1


def test_patience_ends(receiver: Receiver) -> None:
    """After the last try the answer is told as it is; what asking again does not help is asked once."""
    receiver.answers[:] = [BUSY] * 3
    with pytest.raises(AnswerError, match="503"):
        Client(receiver.url, retries=2).features()
    assert len(receiver.requests) == 3
    receiver.answers[:] = [NO_MODEL]
    with pytest.raises(AnswerError, match="no model yet"):
        Client(receiver.url, retries=2).score()
    assert len(receiver.requests) == 4


def test_large_bodies_are_compressed(receiver: Receiver) -> None:
    """A large body is gzip, a small one as it is."""
    receiver.answers[:] = [answer(TAKEN)] * 2
    client, large = Client(receiver.url), {"text": "a" * _LARGE}
    client.send_events([large])
    client.send_events([{"a": 1}])

    first, second = receiver.requests
    assert first.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(first.body)) == large
    assert "Content-Encoding" not in second.headers


def test_what_did_not_change_is_not_sent_again(receiver: Receiver) -> None:
    """An answer with an entity tag is kept; where the service says that it still holds, it is given once more."""
    receiver.answers[:] = [answer(FEATURES, ETag='"1"'), (304, {"ETag": '"1"'}, b""), answer(FEATURES, ETag='"2"')]
    client = Client(receiver.url)
    assert [client.features() for _ in range(3)] == [[], [], []]

    tags = [one.headers.get("If-None-Match") for one in receiver.requests]
    assert tags == [None, '"1"', '"1"']


def test_redirections_are_not_followed(receiver: Receiver) -> None:
    """A key goes to the service that was named and to no other; where it was sent on to is told."""
    receiver.answers[:] = [(307, {"Location": "http://192.0.2.1/"}, b"")]
    with pytest.raises(AnswerError, match=r"answered 307: it is at http://192\.0\.2\.1/ now"):
        Client(receiver.url, key="k").features()


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b"[]", b'{"title": 1}'])
def test_an_answer_of_something_else_is_told(receiver: Receiver, body: bytes) -> None:
    """What is no problem of ours is told as an answer of something else, and not shown."""
    receiver.answers[:] = [(403, {}, body)]
    with pytest.raises(AnswerError, match="403: something other than the service answered"):
        Client(receiver.url).features()
    receiver.answers[:] = [answer(body)]
    with pytest.raises(ClientError, match="another version"):
        Client(receiver.url).features()


def test_only_the_named_authority_is_trusted(certificates: Certificates) -> None:
    """With the authority's file TLS is verified; without it the certificate is refused, and the key never sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with listening(context) as receiver:
        receiver.answers[:] = [answer(FEATURES)]
        assert Client(receiver.url, key="k", ca_file=str(certificates.authority)).features() == []
        with pytest.raises(UnreachableError, match="its certificate is not trusted"):
            Client(receiver.url, key="k", retries=0).features()

    assert [one.headers["Authorization"] for one in receiver.requests] == ["Bearer k"]
    with pytest.raises(ClientError, match="cannot read the authorities"):
        Client(receiver.url, ca_file="/nonexistent/authority.pem")


@pytest.mark.parametrize("query", [{"at": None}, {}])
def test_what_is_not_asked_is_left_out(receiver: Receiver, query: dict[str, Any]) -> None:
    """Parameters that are None are no parameters."""
    receiver.answers[:] = [answer(b'{"changes": []}')]
    Client(receiver.url).changes(**query)

    assert receiver.requests[0].path == "/v1/changes"
