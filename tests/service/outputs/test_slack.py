import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.outputs.errors import DeliveryError
from service.outputs.notices import Judgement, Notice
from service.outputs.output import Surroundings
from service.outputs.slack import Slack, message
from tests.service.outputs.conftest import HOSTILE, Receiver, make_notice

NOW = datetime(2026, 9, 14, tzinfo=UTC)


def texts(part: Any) -> list[dict[str, Any]]:
    """Collect the text objects anywhere in a message."""
    if isinstance(part, dict):
        own = [part] if part.get("type") in ("plain_text", "mrkdwn") else []
        return own + [text for value in part.values() for text in texts(value)]
    return [text for value in part for text in texts(value)] if isinstance(part, list) else []


def check_limits(told: dict[str, Any]) -> None:
    """Hold a message to the limits of Slack's reference of blocks and text objects."""
    assert len(told["blocks"]) <= 50
    for block in told["blocks"]:
        if block["type"] == "header":
            assert 0 < len(block["text"]["text"]) <= 150
        if "fields" in block:
            assert 0 < len(block["fields"]) <= 10
            assert all(0 < len(field["text"]) <= 2_000 for field in block["fields"])
    assert all(0 < len(text["text"]) <= 3_000 for text in texts(told))
    assert all("<" not in text["text"] and ">" not in text["text"] for text in texts(told) if text["type"] == "mrkdwn")


def test_message_is_posted_where_the_secret_says(receiver: Receiver, notice: Notice) -> None:
    """The address is the secret: it comes from the environment, and the message says what an analyst needs."""
    slack = Slack(name="team", secret_env="SLACK")  # noqa: S106 -- the name of a variable

    slack.send(notice, Surroundings(now=NOW, environ={"SLACK": receiver.url + "/services/T0/B0/xyz"}))

    (request,) = receiver.requests
    told = json.loads(request.body)
    assert request.path == "/services/T0/B0/xyz"
    assert told["text"] == "high alert: docker:shop/api"
    shown = "\n".join(text["text"] for text in texts(told))
    for part in ("first contact with 203.0.113.66:4444", "T1571, T1071.001", "node-1", "18.9 bits"):
        assert part in shown
    assert told["blocks"][-1]["elements"][0]["url"] == notice.link
    check_limits(told)


def test_refusal_does_not_repeat_the_address(receiver: Receiver, notice: Notice) -> None:
    """Slack's reason for a refusal is kept, the secret address is not."""
    receiver.answers.append((400, {}, f"invalid_blocks at {receiver.url}/services/xyz".encode()))
    slack = Slack(name="team", secret_env="SLACK")  # noqa: S106 -- the name of a variable

    with pytest.raises(DeliveryError, match="answered 400: invalid_blocks") as refused:
        slack.send(notice, Surroundings(now=NOW, environ={"SLACK": receiver.url + "/services/xyz"}))
    assert "xyz" not in str(refused.value)
    assert refused.value.permanent
    with pytest.raises(DeliveryError, match="the secret is no address") as wrong:
        slack.send(notice, Surroundings(now=NOW, environ={"SLACK": "xoxb-123"}))
    assert "xoxb" not in str(wrong.value)


@settings(max_examples=50)
@given(text=st.text(max_size=5_000), count=st.integers(0, 60), hosts=st.lists(st.text(min_size=1), max_size=50))
def test_any_message_stays_within_the_limits(text: str, count: int, hosts: list[str]) -> None:
    """However long and strange the words are, the message is one that Slack takes."""
    notice = make_notice(
        text=HOSTILE + text, hosts=hosts, judgement=Judgement(id="v", verdict="unsure", by=text, note=text)
    )
    long = msgspec.structs.replace(notice.alert, workload="docker:" + "&" * count * 100)

    check_limits(message(msgspec.structs.replace(notice, alert=long)))
