"""Incidents read from stored scores are those that the scores make, and keep their names as they grow."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.windows import WINDOW
from models.incidents import Incident, alerts
from models.scores import SEVERITIES, Score, Severity
from service.database import Database, connect
from service.jobs.incidents import UnknownIncidentError, find, page
from service.selection import Selection
from service.storage import Order, ScoreStore
from tests.alerts import START, iso, score

HOURS = st.integers(0, 60)
MADE = st.lists(
    st.tuples(st.sampled_from("ab"), HOURS, st.sampled_from(SEVERITIES)), max_size=12, unique_by=lambda t: t[:2]
)


def hourly(workload: str, hour: int, severity: Severity) -> Score:
    return score(workload, 6 * hour, severity)


def walk(database: Database, selection: Selection, at_least: Severity, order: Order) -> list[Incident]:
    found, cursor = page(database, selection, at_least, order=order, limit=2, cursor=None)
    while cursor:
        more, cursor = page(database, selection, at_least, order=order, limit=2, cursor=cursor)
        found += more
    return found


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database that every example empties."""
    database = connect("", tmp_path_factory.mktemp("scratch"))
    database.migrate()
    yield database
    database.close()


@given(made=MADE, first=HOURS, count=st.integers(1, 60), at_least=st.sampled_from(SEVERITIES[1:]))
def test_pages_are_the_incidents_of_the_scores(
    made: list[tuple[str, int, Severity]],
    first: int,
    count: int,
    at_least: Severity,
    scratch: Database,
) -> None:
    """Whatever is stored and asked for, pages hold the incidents that touch the span, in full, once and in order."""
    scores = [hourly(*one) for one in made]
    ScoreStore(scratch).expire(datetime.max.replace(tzinfo=UTC))
    ScoreStore(scratch).replace(scores)
    since, until = START + timedelta(hours=first), START + timedelta(hours=first + count)

    found = walk(scratch, Selection(since=since, until=until), at_least, "bits")

    wanted = [
        alert
        for alert in alerts(scores, at_least=at_least)
        if any(
            iso(since) <= one.window_start < iso(until)
            for one in scores
            if one.workload == alert.workload
            and alert.start <= one.window_start < alert.end
            and SEVERITIES.index(one.severity) >= SEVERITIES.index(at_least)
        )
    ]
    named = {alert.id: alert for alert in wanted}
    assert {one.id for one in found} == named.keys()
    assert [one.bits for one in found] == sorted((one.bits for one in found), reverse=True)
    for one in found:
        same = named[one.id]
        assert (one.start, one.end, one.severity, one.windows) == (same.start, same.end, same.severity, same.windows)


def test_an_incident_keeps_its_name_as_it_grows(database: Database) -> None:
    """More and stronger windows leave the id; one found before the first changes it, and the old one leads there."""
    store = ScoreStore(database)
    store.replace([hourly("docker:shop/api", 10, "high")])
    (first,), _ = page(database, Selection(), "high", order="time", limit=9, cursor=None)

    store.replace([hourly("docker:shop/api", 12, "critical"), hourly("docker:shop/api", 14, "high")])
    (grown,), _ = page(
        database, Selection(since=START + timedelta(hours=13)), "high", order="time", limit=9, cursor=None
    )
    store.replace([hourly("docker:shop/api", 9, "high")])
    (earlier,), _ = page(database, Selection(), "high", order="time", limit=9, cursor=None)

    assert (grown.id, grown.windows, grown.severity) == (first.id, 3, "critical")
    assert earlier.id != first.id
    for name in (first.id, earlier.id):
        found = find(database, name, at_least="high")
        assert (found.start, len(found.cells)) == (START + timedelta(hours=9), 4)
    for name in ("docker:shop/api", f"{iso(START)}/docker:shop/api", f"{first.id}/more"):
        with pytest.raises(UnknownIncidentError):
            find(database, name, at_least="high")
    with pytest.raises(UnknownIncidentError):
        find(database, first.id, at_least="critical")


def test_hosts_and_techniques_find_incidents(database: Database) -> None:
    """An incident is found by the host and the technique of any of its windows, and tells the hosts of all."""
    store = ScoreStore(database)
    placed = {("w", START): ["n1"], ("w", START + timedelta(hours=1)): ["n2"], ("v", START): ["n1"]}
    store.replace([hourly("w", 0, "high"), hourly("w", 1, "high"), hourly("v", 0, "high")], hosts=placed)

    assert [one.workload for one in walk(database, Selection(host="n2"), "high", "time")] == ["w"]
    (of_two, of_one) = walk(database, Selection(host="n1", technique="T1571"), "high", "time")[::-1]
    assert (of_two.hosts, of_one.hosts) == (["n1", "n2"], ["n1"])
    assert walk(database, Selection(technique="T1610"), "high", "time") == []
    assert walk(database, Selection(workload="v", host="n2"), "high", "time") == []
    assert find(database, of_one.id, at_least="low").end == datetime(2026, 9, 14, tzinfo=UTC) + WINDOW
