"""From stored scores to receivers: what is told of which alert arrives, once or more, in order."""

import dataclasses
import json
import random
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
import structlog
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from service import courier
from service.jobs.announce import announce
from service.jobs.deliver import LEASE, LONGEST_DELAY, MOST_ATTEMPTS, PATIENCE, Attempt, delay, deliver, try_out
from service.jobs.score import score
from service.outbox import DEAD, DELIVERED, PENDING
from service.outputs.errors import DeliveryError
from service.settings import Settings, SettingsError
from service.statements import Verdict
from service.tables import outbox_table, told_table
from service.wiring import Home, open_home
from tests.alerts import START, TEN
from tests.alerts import score as scored
from tests.service.outputs.conftest import Receiver, eventually, listening

NOW = START + timedelta(hours=1)
SECRET = "hunter2-hunter2"  # noqa: S105 -- the one that must not be found anywhere
ENVIRON = {"HOOK": SECRET}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


def configure(folder: Path, url: str) -> Home:
    """Open a home with a webhook as its only output."""
    folder.mkdir(exist_ok=True)
    (folder / "wharfinger.toml").write_text(
        f'[[outputs]]\ntype = "webhook"\nname = "hook"\nurl = "{url}"\nsecret_env = "HOOK"\n'
    )
    return open_home(Settings.load(folder, {}))


@pytest.fixture
def home(tmp_path: Path, receiver: Receiver) -> Home:
    return configure(tmp_path / "home", receiver.url)


def strike(home: Home, *workloads: str, number: int = 0, severity: Any = "high") -> None:
    """Store a strange window of each workload, and write what is to be told of it."""
    home.store.replace(scored(workload, number, severity) for workload in workloads)
    announce(home, now=NOW)


def run(home: Home, now: datetime = NOW) -> list[Attempt]:
    return list(deliver(home, clock=lambda: now, chance=random.Random(1), environ=ENVIRON))  # noqa: S311 -- repeatable


def told(receiver: Receiver) -> list[tuple[str, str]]:
    bodies = [json.loads(request.body) for request in receiver.requests]
    return [(body["alert"]["workload"], body["event"]) for body in bodies]


def test_alert_is_told_from_opening_to_verdict(home: Home, receiver: Receiver) -> None:
    """What scoring finds, and what a person says of it, arrives once and in order."""
    strike(home, "w")
    strike(home, "w")
    strike(home, "w", number=1, severity="critical")
    first = run(home)
    home.feedback.add(
        Verdict(id="v", verdict="expected", workload="w", start=START, end=START + TEN, until=NOW + LEASE, by="alice")
    )
    announce(home, now=NOW)
    run(home)
    run(home)

    assert told(receiver) == [("w", "opened"), ("w", "raised"), ("w", "judged")]
    assert [attempt.result for attempt in first] == ["delivered", "delivered"]
    assert home.outbox.counts() == {("hook", DELIVERED): 3}


def test_failure_is_tried_again_later_and_later(home: Home, receiver: Receiver) -> None:
    """A receiver that is down gets the same message later, in the end, and what came after it then."""
    strike(home, "w")
    strike(home, "w", number=1, severity="critical")
    receiver.answers = [(500, {}, b"")] * 3
    now, results = NOW, []
    while len(receiver.requests) < 5:
        results += [attempt.result for attempt in run(home, now)]
        now += timedelta(seconds=1)

    assert results == ["failed"] * 3 + ["delivered"] * 2
    ids = [request.headers["Idempotency-Key"] for request in receiver.requests]
    assert len(set(ids[:4])) == 1
    assert ids[4] not in ids[:4]
    assert now - NOW >= timedelta(seconds=5 / 2 + 10 / 2 + 20 / 2)


def test_receiver_says_when_to_come_again(home: Home, receiver: Receiver) -> None:
    """`Retry-After` is waited for."""
    strike(home, "w")
    receiver.answers = [(429, {"Retry-After": "600"}, b"")]
    run(home)

    assert run(home, NOW + timedelta(seconds=599)) == []
    assert [attempt.result for attempt in run(home, NOW + timedelta(seconds=600))] == ["delivered"]


def test_refused_message_is_a_dead_letter_at_once(home: Home, receiver: Receiver) -> None:
    """What the receiver will never take is put aside with its reason, and the next message of the alert goes on."""
    strike(home, "w")
    strike(home, "w", number=1, severity="critical")
    receiver.answers = [(400, {}, b"no such field")]

    attempts = run(home)

    assert [attempt.result for attempt in attempts] == ["dead", "delivered"]
    (letter,) = home.outbox.dead_letters(10)
    assert letter.notice.event == "opened"
    assert letter.last_error.endswith("answered 400: no such field")


def test_hopeless_message_is_given_up(home: Home, receiver: Receiver) -> None:
    """After about half a day a message is put aside; it is sent again when a person asks for that."""
    strike(home, "w")
    receiver.answers = [(500, {}, b"")] * MOST_ATTEMPTS
    now = NOW
    while home.outbox.counts() == {("hook", PENDING): 1}:
        run(home, now)
        now += LONGEST_DELAY

    assert home.outbox.counts() == {("hook", DEAD): 1}
    assert len(receiver.requests) == MOST_ATTEMPTS
    assert home.outbox.retry(now=now) == 1
    assert [attempt.result for attempt in run(home, now)] == ["delivered"]


def test_receiver_that_is_down_is_left_alone(home: Home, receiver: Receiver) -> None:
    """A round does not ask a receiver for each of a thousand messages whether it is still down."""
    strike(home, *(f"w{number}" for number in range(10)))
    receiver.answers = [(503, {}, b"")] * 100

    assert len(run(home)) == PATIENCE


def test_two_deliverers_lose_nothing_and_keep_the_order(home: Home, receiver: Receiver) -> None:
    """Several at once, with a receiver that fails now and then: each alert's messages arrive in order, none twice."""
    names = [f"w{number}" for number in range(6)]
    for number, severity in enumerate(("high", "critical")):
        strike(home, *names, number=number, severity=severity)
    receiver.answers = [(500, {}, b"") if number % 3 == 0 else (200, {}, b"") for number in range(12)]
    barrier = threading.Barrier(3)

    def work() -> None:
        barrier.wait()
        for number in range(60):
            run(home, NOW + timedelta(seconds=number))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert home.outbox.counts() == {("hook", DELIVERED): 12}
    arrived = defaultdict(list)
    for workload, event in told(receiver):
        arrived[workload].append(event)
    for events in arrived.values():
        assert events == sorted(events)  # opened before raised, each perhaps more than once


@pytest.mark.slow
def test_killed_in_the_middle(home: Home, receiver: Receiver) -> None:
    """A message whose deliverer was killed is sent again by another, under the same name."""
    strike(home, "w")
    receiver.held = threading.Event()
    command = [sys.executable, "-m", "service.cli", "--home", str(home.settings.home), "outputs", "deliver"]
    with subprocess.Popen(command, env={"HOOK": SECRET, "PYTHONPATH": "."}) as process:
        eventually(lambda: receiver.requests, "the first attempt")
        process.send_signal(signal.SIGKILL)
    receiver.held.set()

    assert run(home, datetime.now(UTC)) == []
    assert [attempt.result for attempt in run(home, datetime.now(UTC) + LEASE)] == ["delivered"]
    first, second = (request.headers["Idempotency-Key"] for request in receiver.requests)
    assert first == second


@given(attempts=st.integers(1, 100), asked=st.none() | st.floats(0, 1e9), seed=st.integers(0, 2**32))
def test_delay_is_bounded(attempts: int, asked: float | None, seed: int) -> None:
    """The wait doubles up to an hour, is spread by chance over its second half, and is never below what was asked."""
    waited = delay(attempts, DeliveryError("no", retry_after=asked), random.Random(seed))  # noqa: S311 -- repeatable

    longest = min(5 * 2 ** (attempts - 1), 3600)
    wanted = min(asked or 0, 86_400)
    assert max(longest / 2, wanted) - 1e-3 <= waited.total_seconds() <= max(longest, wanted) + 1e-3


def test_secret_is_written_nowhere(home: Home, receiver: Receiver) -> None:
    """Neither the log nor the database has a secret, even where a receiver repeats it."""
    strike(home, "v", "w")
    receiver.answers = [(500, {}, f"you are {SECRET}".encode()), (403, {}, f"{SECRET}!".encode())]

    with structlog.testing.capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOOK", SECRET)
        courier.go_round(home)

    assert [line["event"] for line in logs] == ["message not delivered", "message not delivered"]
    assert {line["result"] for line in logs} == {"failed", "dead"}
    assert SECRET not in str(logs)
    for path in home.settings.home.glob("wharfinger.db*"):
        assert SECRET.encode() not in path.read_bytes()


def test_missing_secret_holds_the_message_back(home: Home, receiver: Receiver) -> None:
    """A deliverer that was started without the secret harms no message: it is sent by one that has it."""
    strike(home, "w")

    (attempt,) = deliver(home, clock=lambda: NOW, chance=random.Random(1), environ={})  # noqa: S311 -- repeatable

    assert (attempt.result, attempt.error) == ("failed", "no secret in the environment variable HOOK")
    assert [one.result for one in run(home, NOW + LEASE)] == ["delivered"]
    assert len(receiver.requests) == 1


def test_test_message_says_so(home: Home, receiver: Receiver) -> None:
    """A message that somebody tries an output with cannot be taken for an alert."""
    try_out(home.outputs[0], "https://wharfinger.example", now=NOW, environ=ENVIRON)

    told = json.loads(receiver.requests[0].body)
    assert told["event"] == "test"
    assert told["title"].startswith("test of")
    assert "nothing happened" in told["text"]
    assert home.outbox.counts() == {}


class Fleet(Protocol):
    """What the fixture `fleet` gives."""

    settings: Settings
    home: Home


@pytest.fixture
def listened(fleet: Fleet, receiver: Receiver) -> Iterator[Home]:
    """The fleet's home with an output; what it was told is forgotten afterwards."""
    table = {"type": "webhook", "name": "hook", "url": receiver.url, "secret_env": "HOOK"}
    settings = dataclasses.replace(fleet.settings, outputs=(table,), public_url="https://wharfinger.example/")
    yield dataclasses.replace(fleet.home, settings=settings)
    with fleet.home.database.writing() as connection:
        for kept in (outbox_table, told_table):
            connection.execute(sa.delete(kept))


def test_scoring_tells_where_and_links_to_it(listened: Home, receiver: Receiver, client: FlaskClient) -> None:
    """From telemetry to receiver: the break-in is told once with its host, its reasons and the page that shows it."""
    for _ in range(2):
        score(listened)
        run(listened, datetime.now(UTC))

    (request,) = receiver.requests
    body = json.loads(request.body)
    assert body["alert"]["id"] == "2026-09-13T02:00:00Z/docker:shop/api"
    assert body["hosts"] == ["n1"]
    assert "203.0.113.66:4444" in body["text"]
    page = client.get(body["link"].removeprefix("https://wharfinger.example"))
    assert page.status_code == 200
    assert "203.0.113.66:4444" in page.text


@pytest.mark.parametrize("text", ["outputs = 1", "[outputs]\ntype = 'file'", "outputs = ['file']"])
def test_outputs_are_tables(tmp_path: Path, text: str) -> None:
    """What is no list of tables is refused with how to write one."""
    (tmp_path / "wharfinger.toml").write_text(text)

    with pytest.raises(SettingsError, match=r"begin each with \[\[outputs\]\]"):
        Settings.load(tmp_path, {})
