"""The outbox on both databases."""

import contextlib
import threading
from datetime import datetime, timedelta

import msgspec
import pytest

from service.database import Database
from service.outbox import DEAD, DELIVERED, KEEP_DEAD, KEEP_DELIVERED, PENDING, Message, Outbox
from service.outputs.notices import Told
from tests.service.outputs.conftest import NOW, make_notice

LEASE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


def write(outbox: Outbox, database: Database, alert: str, *sequences: int, output: str = "hook") -> None:
    """Tell an output of an alert; a message is named after the alert and its place."""
    for sequence in sequences:
        notice = make_notice(id=f"{output}-{alert}-{sequence}", sequence=sequence)
        notice = msgspec.structs.replace(notice, alert=msgspec.structs.replace(notice.alert, id=alert))
        with database.writing() as connection:
            outbox.tell(connection, output, [Told(notice=notice, end=notice.alert.end)], fresh={notice.id})


def claim(outbox: Outbox, now: datetime = NOW, *, output: str = "hook", holder: str = "me") -> Message | None:
    return outbox.claim(output, now=now, lease=LEASE, holder=holder)


def claimed(outbox: Outbox, now: datetime = NOW, *, holder: str = "me") -> Message:
    message = claim(outbox, now, holder=holder)
    assert message is not None
    return message


def test_messages_of_an_alert_leave_in_order(outbox: Outbox, database: Database) -> None:
    """A later message of an alert waits for the earlier ones, while other alerts' do not."""
    write(outbox, database, "a", 1, 2)
    write(outbox, database, "b", 1)

    first, second = claimed(outbox), claimed(outbox)
    blocked = claim(outbox)
    outbox.settle(first, DELIVERED, now=NOW, holder="me")
    third = claimed(outbox)

    assert {first.id, second.id} == {"hook-a-1", "hook-b-1"}
    assert blocked is None
    assert third.id == "hook-a-2"


def test_other_outputs_do_not_wait(outbox: Outbox, database: Database) -> None:
    """An output whose receiver is down holds up no other."""
    write(outbox, database, "a", 1)
    write(outbox, database, "a", 1, output="file")
    outbox.postpone(claimed(outbox), NOW + HOUR, holder="me", error="down")

    assert claim(outbox) is None
    assert claim(outbox, output="file")


def test_lease_runs_out(outbox: Outbox, database: Database) -> None:
    """What was claimed by somebody who died is given to another, and the dead one's late word changes nothing."""
    write(outbox, database, "a", 1)
    dead = claimed(outbox, holder="dead")

    assert claim(outbox, NOW + LEASE / 2, holder="me") is None
    mine = claimed(outbox, NOW + LEASE, holder="me")
    outbox.settle(dead, DEAD, now=NOW, holder="dead", error="too late")

    assert (mine.id, mine.attempts) == (dead.id, 2)
    assert outbox.counts() == {("hook", PENDING): 1}
    outbox.settle(mine, DELIVERED, now=NOW, holder="me")
    assert outbox.counts() == {("hook", DELIVERED): 1}


def test_postponed_message_waits_and_keeps_its_error(outbox: Outbox, database: Database) -> None:
    """A failed message is due again at its time, its error kept to a length that fits a terminal."""
    write(outbox, database, "a", 1)
    outbox.postpone(claimed(outbox), NOW + HOUR, holder="me", error="x" * 5_000)

    assert claim(outbox, NOW + HOUR - timedelta(seconds=1)) is None
    again = claimed(outbox, NOW + HOUR)
    assert len(again.last_error) == 500


def test_two_never_have_the_same_message(outbox: Outbox, database: Database) -> None:
    """Of many that claim at the same moment each gets messages that no other has, and together all there are."""
    for number in range(20):
        write(outbox, database, f"alert-{number}", 1)
    barrier, got = threading.Barrier(4), list[str]()

    def take(holder: str) -> None:
        barrier.wait()
        while (message := claim(outbox, holder=holder)) is not None:
            got.append(message.id)

    threads = [threading.Thread(target=take, args=(f"holder-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == sorted(f"hook-alert-{number}-1" for number in range(20))


def test_dead_letter_lets_later_messages_pass(outbox: Outbox, database: Database) -> None:
    """A message that is given up does not block its alert; it is listed with its reason."""
    write(outbox, database, "a", 1, 2)
    outbox.settle(claimed(outbox), DEAD, now=NOW, holder="me", error="hook answered 400")

    assert [letter.last_error for letter in outbox.dead_letters(10)] == ["hook answered 400"]
    assert claimed(outbox).id == "hook-a-2"


@pytest.mark.parametrize(
    ("later", "due"), [("dead", ["hook-a-1", "hook-a-2"]), ("pending", ["hook-a-1"]), ("delivered", []), ("leased", [])]
)
def test_retry_never_overtakes(outbox: Outbox, database: Database, later: str, due: list[str]) -> None:
    """A dead letter is sent again before the later messages of its alert, or not at all."""
    write(outbox, database, "a", 1, 2)
    outbox.settle(claimed(outbox), DEAD, now=NOW, holder="me")
    if later != "pending":
        message = claimed(outbox)
        if later != "leased":
            outbox.settle(message, later, now=NOW, holder="me")

    assert outbox.retry(now=NOW) == len(due)
    order = []
    while later != "leased" and (message := claim(outbox)) is not None:  # type: ignore[assignment]
        order.append(message.id)
        outbox.settle(message, DELIVERED, now=NOW, holder="me")
    assert order == (["hook-a-1", "hook-a-2"] if later == "pending" else due)


def test_abandoned_output(outbox: Outbox, database: Database) -> None:
    """Messages to an output that is not configured any more become dead letters, and can be had back."""
    write(outbox, database, "a", 1)

    outbox.tidy(["hook"], now=NOW)
    assert outbox.counts() == {("hook", PENDING): 1}
    outbox.tidy(["other"], now=NOW)
    assert outbox.dead_letters(10)[0].last_error == "no output of this name is configured any more"
    assert outbox.retry(now=NOW) == 1


def test_old_messages_go(outbox: Outbox, database: Database) -> None:
    """What was delivered is kept for a week and what is dead for a month; what is pending stays."""
    for alert in "abc":
        write(outbox, database, alert, 1)
    outbox.settle(claimed(outbox), DELIVERED, now=NOW, holder="me")
    outbox.settle(claimed(outbox), DEAD, now=NOW, holder="me")

    outbox.tidy(["hook"], now=NOW + KEEP_DELIVERED)
    assert sorted(outbox.counts().values()) == [1, 1, 1]
    outbox.tidy(["hook"], now=NOW + KEEP_DEAD)
    assert outbox.counts() == {("hook", PENDING): 1, ("hook", DEAD): 1}
    outbox.tidy(["hook"], now=NOW + KEEP_DEAD + HOUR)
    assert outbox.counts() == {("hook", PENDING): 1}


def test_message_and_what_was_told_are_one_transaction(outbox: Outbox, database: Database) -> None:
    """Whoever is stopped in between has written neither."""
    notice = make_notice()

    with contextlib.suppress(InterruptedError), database.writing() as connection:
        outbox.tell(connection, "hook", [Told(notice=notice, end=notice.alert.end)], fresh={notice.id})
        raise InterruptedError

    with database.reading() as connection:
        assert outbox.told(connection, "hook") == []
    assert outbox.counts() == {}


def test_what_was_told_reads_back_and_is_forgotten(outbox: Outbox, database: Database) -> None:
    """What an output knows is kept as it was told, until its alert lies far enough back."""
    notice = make_notice()
    told = Told(notice=notice, end=notice.alert.end, verdicts=["verdict-1"])
    end = datetime.fromisoformat(told.end)
    with database.writing() as connection:
        outbox.tell(connection, "hook", [told], fresh=())
        outbox.forget(connection, end)
        kept = outbox.told(connection, "hook")
        outbox.forget(connection, end + HOUR)
        gone = outbox.told(connection, "hook")

    assert (kept, gone) == ([told], [])
    assert outbox.counts() == {}
