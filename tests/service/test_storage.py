import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scores import SEVERITIES, BaselineInfo, Reason, Score, Severity
from service.database import Database, connect
from service.labels import hosts_of
from service.selection import Selection
from service.storage import CursorError, Order, ScoreStore, _page, from_micros, micros
from service.tables import label_table, score_table

START = datetime(2026, 9, 14, tzinfo=UTC)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def a_score(
    workload: str = "docker:shop/api", step: int = 0, bits: float = 1.5, severity: Severity = "none", model: str = "m1"
) -> Score:
    start = START + step * timedelta(minutes=10)
    return Score(
        workload=workload,
        window_start=iso(start),
        window_end=iso(start + timedelta(minutes=10)),
        score=bits / (bits + 10),
        bits=bits,
        p_value=2.0**-bits,
        severity=severity,
        evidence={"network": bits},
        reasons=[Reason(feature="network.x", value="1", expected="0", bits=bits, technique="T1571", text="new é")],
        baseline=BaselineInfo(level="workload", maturity=0.5, windows=10),
        model=model,
    )


def a_fleet() -> list[Score]:
    return [
        a_score(f"docker:shop/{name}", step, bits=float((7 * step + 3 * i) % 11), severity=SEVERITIES[(step + i) % 5])
        for i, name in enumerate("abc")
        for step in range(12)
    ]


@pytest.fixture
def store(database: Database) -> ScoreStore:
    return ScoreStore(database)


def pages(store: ScoreStore, **question: object) -> list[list[Score]]:
    cursor, found = None, []
    while True:
        page, cursor = store.query(cursor=cursor, **question)
        found.append(page)
        if cursor is None:
            return found


def test_a_score_comes_back_as_it_went_in(store: ScoreStore) -> None:
    """What was stored is what is read, field by field."""
    score = a_score()
    store.replace([score])
    assert store.query()[0] == [score]
    assert store.get(score.workload, START) == score
    assert store.get(score.workload, START + timedelta(minutes=10)) is None


def test_storing_twice_changes_nothing(store: ScoreStore) -> None:
    """The second time no row is new or different, and a changed score replaces the old one."""
    assert store.replace(a_fleet()) == 36
    assert store.replace(a_fleet()) == 0
    assert store.replace([a_score("docker:shop/a", 0, bits=30.0, model="m2")]) == 1
    assert len(store.query(limit=100)[0]) == 36
    assert store.get("docker:shop/a", START).model == "m2"


@pytest.mark.parametrize("order", ["time", "bits"])
@pytest.mark.parametrize("limit", [1, 5, 7, 36, 100])
def test_pages_give_every_score_once_in_order(store: ScoreStore, order: Order, limit: int) -> None:
    """Walking the cursors gives each stored score exactly once, in the order asked for, ties included."""
    store.replace(a_fleet())
    found = pages(store, order=order, limit=limit)
    flat = [score for page in found for score in page]
    assert all(len(page) == limit for page in found[:-1])
    assert sorted(map(msgspec.json.encode, flat)) == sorted(map(msgspec.json.encode, a_fleet()))
    keys = [score.window_start if order == "time" else score.bits for score in flat]
    assert keys == sorted(keys, reverse=True)


def test_a_page_does_not_move_when_rows_arrive(store: ScoreStore) -> None:
    """Rows that arrive while a client pages neither repeat nor hide the rows it still has to see."""
    store.replace(a_fleet())
    first, cursor = store.query(limit=10)
    store.replace([a_score("docker:shop/new", 100 + i) for i in range(20)])
    rest = []
    while cursor:
        page, cursor = store.query(limit=10, cursor=cursor)
        rest += page
    assert {s.workload for s in rest} == {"docker:shop/a", "docker:shop/b", "docker:shop/c"}
    assert len(first) + len(rest) == 36


def test_filters(store: ScoreStore) -> None:
    """Workload, time (since included, until not) and severity (at least) narrow the answer."""
    store.replace(a_fleet())
    hour = START + timedelta(hours=1)
    assert {s.workload for s in store.query(workload="docker:shop/b")[0]} == {"docker:shop/b"}
    assert min(s.window_start for s in store.query(since=hour)[0]) == iso(hour)
    assert max(s.window_start for s in store.query(until=hour)[0]) == iso(hour - timedelta(minutes=10))
    assert {s.severity for s in store.query(severity="high")[0]} == {"high", "critical"}


def on_hosts() -> dict[tuple[str, datetime], list[str]]:
    """Workload a moves from n1 to n2 after an hour, b runs on both."""
    steps = [START + step * timedelta(minutes=10) for step in range(12)]
    return {
        **{("docker:shop/a", start): ["n1" if start < START + timedelta(hours=1) else "n2"] for start in steps},
        **{("docker:shop/b", start): ["n1", "n2"] for start in steps},
    }


def techniques() -> list[Score]:
    """Give the fleet's scores, every third of which points to another technique."""
    return [
        msgspec.structs.replace(
            score, reasons=[msgspec.structs.replace(score.reasons[0], technique=("T1571", "T1610", "")[number % 3])]
        )
        for number, score in enumerate(a_fleet())
    ]


@pytest.mark.parametrize("order", ["time", "bits"])
@pytest.mark.parametrize("host", [None, "n1", "n2", "n3"])
@pytest.mark.parametrize("technique", [None, "T1571", "T1610", "T1"])
def test_host_and_technique_narrow_pages(
    store: ScoreStore, order: Order, host: str | None, technique: str | None
) -> None:
    """Pages hold the windows of workloads that ran on the host, with a reason of exactly that technique, each once."""
    scores, placed = techniques(), on_hosts()
    store.replace(scores, hosts=placed)
    wanted = [
        score
        for score in scores
        if (host is None or host in placed.get((score.workload, datetime.fromisoformat(score.window_start)), ()))
        and (technique is None or technique == score.reasons[0].technique)
    ]

    found = [score for page in pages(store, host=host, technique=technique, order=order, limit=4) for score in page]

    key = attrgetter("workload", "window_start")
    assert sorted(found, key=key) == sorted(wanted, key=key)
    assert [score.window_start if order == "time" else score.bits for score in found] == sorted(
        (score.window_start if order == "time" else score.bits for score in wanted), reverse=True
    )
    assert len(store.cells(host=host, technique=technique)) == len(wanted)
    narrowed = store.query(workload="docker:shop/b", severity="low", until=START + timedelta(hours=1), host=host)[0]
    assert {score.workload for score in narrowed} == ({"docker:shop/b"} if host != "n3" else set())


def test_what_a_score_is_found_by_follows_it(store: ScoreStore, database: Database) -> None:
    """A window scored again is found by its new reasons and hosts alone, and one that expired by nothing."""
    store.replace([a_score()], hosts={("docker:shop/api", START): ["n1"]})
    store.replace([a_score("docker:shop/other"), a_score("host:n1")])
    again = a_score(model="m2")
    store.replace(
        [msgspec.structs.replace(again, reasons=[msgspec.structs.replace(again.reasons[0], technique="T1610")])],
        hosts={("docker:shop/api", START): ["n2"]},
    )

    assert [score.workload for score in store.query(host="n1")[0]] == ["host:n1"]
    assert [score.workload for score in store.query(host="n2", technique="T1610")[0]] == ["docker:shop/api"]
    assert hosts_of(database, "docker:shop/api", START, START + timedelta(minutes=10)) == ["n2"]
    assert hosts_of(database, "docker:shop/api", START + timedelta(minutes=10), START + timedelta(hours=1)) == []
    assert store.expire(START + timedelta(minutes=10)) == 3
    with database.reading() as connection:
        assert connection.execute(sa.select(label_table)).all() == []


def test_labels_are_read_from_their_index(tmp_path: Path) -> None:
    """A page of a host is read from the index of labels, and no table is searched from end to end for it."""
    database = connect("", tmp_path)
    database.migrate()
    with database.reading() as connection:
        statement = _page(Selection(host="n1", technique="T1571"), "time", 10, None)
        text = statement.compile(connection, compile_kwargs={"literal_binds": True}).string
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
    database.close()

    assert any("score_labels_by_value (kind=? AND value=?" in step for step in plan)
    assert not [step for step in plan if step.startswith("SCAN") and step != "SCAN page"]


def test_a_cursor_belongs_to_its_question(store: ScoreStore) -> None:
    """A cursor used with other filters, or altered in any place, is refused."""
    store.replace(a_fleet())
    cursor = store.query(limit=3)[1]
    for other in (
        {"order": "bits"},
        {"workload": "docker:shop/a"},
        {"severity": "low"},
        {"host": "n1"},
        {"technique": "T1"},
    ):
        with pytest.raises(CursorError):
            store.query(cursor=cursor, **other)
    for place in range(len(cursor) - 1):
        altered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(CursorError):
            store.query(cursor=altered, limit=3)


@given(cursor=st.text(max_size=60))
@settings(max_examples=200)
def test_any_text_is_no_cursor(cursor: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Text that was not issued is refused, never an error of another kind."""
    database = connect("", tmp_path_factory.getbasetemp())
    with pytest.raises(CursorError):
        ScoreStore(database).query(cursor=cursor)
    database.close()


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_limit_is_bounded(store: ScoreStore, limit: int) -> None:
    """A page holds between 1 and 1000 scores."""
    with pytest.raises(ValueError, match="limit"):
        store.query(limit=limit)


def test_workloads_are_summarised_strangest_first(store: ScoreStore) -> None:
    """Each workload has its count, last window and strongest bits."""
    store.replace(a_fleet())
    found = store.workloads()
    assert [row["windows"] for row in found] == [12, 12, 12]
    assert [row["strongest_bits"] for row in found] == sorted((row["strongest_bits"] for row in found), reverse=True)
    assert found[0]["last_window"] == iso(START + timedelta(minutes=110))
    assert store.span() == (START, START + timedelta(minutes=110))
    assert store.names() == ["docker:shop/a", "docker:shop/b", "docker:shop/c"]


def test_an_empty_store_answers(store: ScoreStore) -> None:
    """Nothing stored is an empty answer, not an error."""
    assert store.query() == ([], None)
    assert store.workloads() == []
    assert store.names() == []
    assert store.span() is None
    assert store.cells() == []


def test_cells_hold_what_a_picture_needs(store: ScoreStore) -> None:
    """Cells come by workload and time, with bits and severity, for the workloads asked for."""
    store.replace(a_fleet())
    cells = store.cells(workloads=["docker:shop/c", "docker:shop/a"], since=START + timedelta(minutes=100))
    assert [cell.workload[-1] for cell in cells] == ["a", "a", "c", "c"]
    assert cells[0].window_start == START + timedelta(minutes=100)
    assert cells[0].severity in SEVERITIES


def test_readers_are_not_blocked_by_a_writer(store: ScoreStore, database: Database) -> None:
    """While another connection holds its changes back, reading answers at once with the last committed state."""
    store.replace([a_score()])

    with database.writing() as connection:
        connection.execute(sa.delete(score_table))
        assert len(store.query()[0]) == 1
        connection.rollback()


def test_two_processes_write_at_once(address: str) -> None:
    """Two that start on an empty database and write the same windows in other order: none fails, nothing is lost."""
    program = (
        "import sys; sys.path[:0] = ['tests/service', '.']; from pathlib import Path; import test_storage as t;"
        "d = t.connect(sys.argv[1], Path()); d.migrate(); s = t.ScoreStore(d); steps = range(0, 400);"
        "scores = [t.a_score('docker:x', i) for i in (steps if sys.argv[2] == 'a' else reversed(steps))];"
        "[s.replace(scores[i:i + 40]) for _ in range(3) for i in range(0, 400, 40)];"
        "s.replace(t.a_score('docker:' + sys.argv[2], i) for i in range(100))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", program, address, name]) for name in "ab"]

    assert [run.wait(120) for run in runs] == [0, 0]
    database = connect(address, Path())
    assert {row["workload"]: row["windows"] for row in ScoreStore(database).workloads()} == {
        "docker:a": 100,
        "docker:b": 100,
        "docker:x": 400,
    }
    database.close()


def test_threads_share_a_store(store: ScoreStore) -> None:
    """Threads of one worker can write and read the same store."""
    failures = []

    def work(name: str) -> None:
        try:
            for step in range(20):
                store.replace([a_score(name, step)])
                store.query(workload=name)
        except Exception as error:  # noqa: BLE001 -- a thread's failure must reach the assertion
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"docker:{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(row["windows"] for row in store.workloads()) == 80


def test_old_scores_expire(store: ScoreStore) -> None:
    """What starts before a time goes, however much it is, and nothing else does."""
    store.replace(a_score(f"docker:{i}", step) for i in range(30) for step in range(200))

    assert store.expire(START + timedelta(minutes=10 * 150)) == 4500
    assert store.expire(START + timedelta(minutes=10 * 150)) == 0
    assert store.span() == (START + timedelta(minutes=10 * 150), START + timedelta(minutes=10 * 199))
    assert [row["windows"] for row in store.workloads()] == [50] * 30


def test_names_are_kept_and_ordered_by_code_point(store: ScoreStore) -> None:
    """Whatever the server's language, capitals come before small letters and paging follows; NUL becomes U+FFFD."""
    names = ["docker:B", "docker:a", "docker:a-b", "docker:a/b", "docker:ab", "docker:é", "docker:\U0001f40b", "nul\0"]
    scores = [a_score(name) for name in names]
    store.replace(reversed(scores))

    assert store.names() == [name.replace("\0", "\ufffd") for name in names]
    assert [score for page in pages(store, limit=3) for score in page] == scores
    assert store.get("nul\0", START) == scores[-1]


def test_microseconds_survive() -> None:
    """A time turned into microseconds and back is the same time; a naive one counts as UTC."""
    moment = datetime(2026, 9, 14, 9, 20, 1, 123457, tzinfo=UTC)
    assert from_micros(micros(moment)) == moment
    assert micros(moment.replace(tzinfo=None)) == micros(moment)
