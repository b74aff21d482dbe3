"""Processes are killed while telemetry comes in: nothing that was accepted is lost, nothing is there twice."""

import contextlib
import http.client
import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pytest

from models.incidents import alerts
from models.scores import Score
from service.jobs.follow import LEASE
from service.jobs.ingest import ingest
from service.jobs.refresh import refresh
from service.jobs.score import score
from service.leases import Lease
from service.settings import Settings
from service.wiring import Home, open_home
from tests.homes import copy_home
from tests.postgresql import Cluster
from tests.service.conftest import END, SPLIT, telemetry
from tests.service.intake import Server, lives

pytestmark = pytest.mark.slow
QUICK = {"score_seconds": 0.2, "log_level": "error"}


def _after(record: dict[str, object]) -> bool:
    return float(record.get("ts", 0)) >= SPLIT.timestamp()  # type: ignore[arg-type]


LEARNT, SENT = ([record for record in telemetry() if _after(record) is wanted] for wanted in (False, True))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a model of the first three days, and nothing of what follows."""
    folder = tmp_path_factory.mktemp("learnt")
    (folder / "learn.ndjson").write_text("\n".join(map(json.dumps, LEARNT)) + "\n")
    home = open_home(Settings.load(folder / "home", {}))
    ingest(home, [folder / "learn.ndjson"])
    report = refresh(home, until=SPLIT)
    if not report.promoted:
        home.registry.promote(report.version)
    home.database.close()
    return folder / "home"


@pytest.fixture(scope="module")
def undisturbed(learnt: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    """The scores of all that is sent, ingested from one file and scored once."""
    folder = tmp_path_factory.mktemp("undisturbed")
    copy_home(learnt, folder / "home")
    (folder / "rest.ndjson").write_text("\n".join(map(json.dumps, SENT)) + "\n")
    home = open_home(Settings.load(folder / "home", {}))
    ingest(home, [folder / "rest.ndjson"])
    return score(home, since=SPLIT, closed=END)


@pytest.fixture
def home(learnt: Path, tmp_path: Path) -> Home:
    copy_home(learnt, tmp_path / "home")
    return open_home(Settings.load(tmp_path / "home", {}))


@pytest.fixture
def serve(home: Home) -> Iterator[Callable[..., Server]]:
    """Start servers of the home."""
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(home.settings.home, **QUICK))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


def chunks(records: list[dict[str, object]], size: int) -> Iterator[list[dict[str, object]]]:
    return (records[start : start + size] for start in range(0, len(records), size))


def settled(home: Home) -> bool:
    """Whether all that was accepted lies in the lake, and all that lies there is scored."""
    return home.spool.backlog().files == 0 and home.touched.backlog(datetime.now(UTC)).waiting == 0


def stored(home: Home) -> list[Score]:
    found, cursor = home.store.query(since=SPLIT, limit=1000)
    assert cursor is None
    return sorted(
        (msgspec.structs.replace(one, revision=0) for one in found), key=lambda one: (one.window_start, one.workload)
    )


def assert_as_undisturbed(home: Home, undisturbed: list[Score]) -> None:
    assert home.lake.read(since=SPLIT)["uid"].sort().to_list() == sorted(str(one["uid"]) for one in SENT)
    assert stored(home) == undisturbed
    assert alerts(stored(home)) == alerts(undisturbed)


def test_killed_at_any_moment_it_ends_as_if_undisturbed(
    home: Home, serve: Callable[..., Server], undisturbed: list[Score]
) -> None:
    """Workers, the leading process, and all at once are killed while events come in: the scores are the same."""
    chance = random.Random(3)  # noqa: S311 -- a reproducible plan
    server, accepted = serve(), 0
    for number, records in enumerate(chunks(SENT, 15)):
        victims = {1: server.children(leading=False), 3: server.children(leading=True)}.get(number % 5, [])
        everything = number in (9, 22)
        strike = server.kill if everything else lambda victims=victims: [_kill(one) for one in victims[:1]]
        timer = threading.Timer(chance.uniform(0, 0.05), strike)
        timer.start()
        if everything:
            server.ask("POST", "/v1/events", records)
            timer.join()
            server = serve()
        accepted += server.post(records)["accepted"]
        timer.join()
    server.until(lambda: settled(home))

    assert server.stop() == 0
    assert 0 < accepted <= len(SENT)
    assert_as_undisturbed(home, undisturbed)


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def test_one_of_two_servers_leads_and_the_other_takes_over(
    home: Home, serve: Callable[..., Server], undisturbed: list[Score]
) -> None:
    """Two servers of one home take in events, one scores; when it is killed with all its processes the other does."""
    servers = [serve(), serve()]
    servers[0].until(lambda: [_leads(one) for one in servers].count(True) == 1)
    leader = next(one for one in servers if _leads(one))
    other = next(one for one in servers if one is not leader)
    for number, records in enumerate(chunks(SENT[: len(SENT) // 2], 50)):
        servers[number % 2].post(records)
        assert [_leads(one) for one in servers].count(True) == 1

    leader.kill()
    for records in chunks(SENT[len(SENT) // 2 :], 50):
        other.post(records)
    other.until(lambda: _leads(other) and settled(home))

    assert_as_undisturbed(home, undisturbed)


def test_a_leader_that_slept_finds_another_in_its_place(home: Home, serve: Callable[..., Server]) -> None:
    """A leading process that is stopped for longer than its lease no longer leads when it goes on."""
    servers = [serve(), serve()]
    servers[0].until(lambda: [_leads(one) for one in servers].count(True) == 1)
    asleep = next(one for one in servers if _leads(one))
    awake = next(one for one in servers if one is not asleep)
    (process,) = asleep.children(leading=True)

    process.send_signal(signal.SIGSTOP)
    awake.until(lambda: _leads(awake))
    process.send_signal(signal.SIGCONT)

    asleep.until(lambda: not _leads(asleep))
    assert _leads(awake)
    assert not Lease(home.database, LEASE).take(0)


def _leads(server: Server) -> bool:
    answer = server.ask("GET", "/metrics")
    return answer is not None and "\nwharfinger_leader 1.0" in answer[1]


def test_a_database_that_goes_and_comes_back_loses_nothing(
    learnt: Path, cluster: Cluster, undisturbed: list[Score], tmp_path: Path
) -> None:
    """The database stops twice under load: intake answers 503 with the time to come again, and then goes on."""
    copy_home(learnt, tmp_path / "home")
    address = {"database_url": cluster.url.render_as_string(hide_password=False)}
    server = Server(tmp_path / "home", **QUICK, **address, model_poll_seconds=0.2)
    try:
        seen = set()
        for number, records in enumerate(chunks(SENT, 15)):
            if number in (5, 15):
                cluster.stop()
                server.until(lambda records=records: seen.add(_told(server, records)) or (503, "5") in seen)
                assert server.ask("GET", "/healthz") == (200, {"status": "ok", "checks": {}})
                ready = server.ask("GET", "/readyz")
                assert ready is not None
                assert "store: cannot be written" in ready[1]
                cluster.start()
            server.post(records)
        home = open_home(Settings.load(tmp_path / "home", {"WHARFINGER_DATABASE_URL": address["database_url"]}))
        server.until(lambda: settled(home))
        assert seen <= {(200, None), (503, "5")}
        assert_as_undisturbed(home, undisturbed)
        assert server.stop() == 0
        home.database.close()
    finally:
        if server.process.poll() is None:
            server.kill()


def _told(server: Server, records: list[dict[str, object]]) -> tuple[int, str | None]:
    """Send records once, and give the status and when to come again."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/events", json.dumps(records), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Retry-After"]


def test_a_tampered_model_is_refused_and_the_one_before_goes_on(
    home: Home, serve: Callable[..., Server], undisturbed: list[Score]
) -> None:
    """A version whose arrays were changed is promoted while events come in: it never scores, and metrics say so."""
    server = serve()
    half = len(SENT) // 2
    server.post(SENT[:half])
    server.until(lambda: settled(home) and stored(home))
    champion = str(home.registry.champion())
    artefact = home.registry.load(champion)
    forged = home.registry.save(artefact, created_at=datetime.now(UTC))
    arrays = next((home.settings.home / "models" / forged).glob("*.npz"))
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")

    home.registry.promote(forged)
    server.until(lambda: "wharfinger_model_refused 1.0" in str(server.ask("GET", "/metrics")))
    server.post(SENT[half:])
    server.until(lambda: settled(home))

    assert {one.model for one in stored(home)} == {champion}
    assert_as_undisturbed(home, undisturbed)
    ready = server.ask("GET", "/readyz")
    assert ready is not None
    assert "changed after signing" in ready[1]


def test_a_huge_body_is_refused_unread(serve: Callable[..., Server]) -> None:
    """A gigabyte that is announced is refused before any of it is sent."""
    server = serve()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("POST", "/v1/events")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(2**30))
    connection.endheaders()

    assert connection.getresponse().status == 413
    connection.close()


def test_when_its_server_is_gone_the_leading_process_ends(serve: Callable[..., Server]) -> None:
    """The master alone is killed: neither workers nor the leading process stay behind."""
    server = serve()
    server.until(lambda: server.children(leading=True))
    left = psutil.Process(server.process.pid).children()

    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()

    server.until(lambda: not any(lives(one) for one in left))
