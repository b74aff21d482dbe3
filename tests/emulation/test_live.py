"""Emulations on a real engine: what the plan promises is there, and nothing is left of it afterwards."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.capture.engine import Engine, missing_requirements
from data.capture.images import busybox_tar
from features.ingest import events_from_records
from service.cli import main
from service.emulation.live.actions import LiveError
from service.emulation.live.cleaning import labelled
from service.emulation.live.playing import Played, Player, Stopped
from service.emulation.live.record import Recorder
from service.jobs.emulate import detection, play, prepare
from service.settings import Settings
from service.wiring import open_home

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_requirements()), reason=f"no engine here: {', '.join(missing_requirements())}"),
]
OUTSIDE = ["-s", "198.51.100.0/24", "-d", "198.51.100.0/24", "-j", "ACCEPT"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with one container of the operator's, which must never notice anything."""
    with Engine(tmp_path_factory.mktemp("range") / "engine") as started:
        started.docker("import", "-", "operator/web:1", stdin=busybox_tar("operator"))
        started.docker("run", "-d", "--network=none", "--name", "bystander", "operator/web:1", "sleep", "900")
        # Where another daemon left the FORWARD policy at DROP, bridged packets are dropped unless told otherwise.
        subprocess.run(["iptables", "-I", "FORWARD", *OUTSIDE], check=True)
        try:
            yield started
        finally:
            subprocess.run(["iptables", "-D", "FORWARD", *OUTSIDE], check=True)


@pytest.fixture(autouse=True)
def untouched(engine: Engine) -> Iterator[None]:
    """After each test nothing with the label is left, and the operator's container is as it was."""
    before, mark = engine.inspect("bystander"), len(engine.events_since())
    yield
    assert [labelled(engine.socket, kind) for kind in ("containers", "networks", "images")] == [[], [], []]
    assert engine.inspect("bystander") == before
    assert not [event for event in engine.events_since(mark) if event["Actor"]["ID"] == before["Id"]]
    assert engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}") == "operator/web:1"


def played(engine: Engine, scenario: str, **options: Any) -> tuple[Played, Counter[str]]:
    """Play a scenario, fast, and count the engine's events by type and action, an exec's with its command."""
    mark = len(engine.events_since())
    run = f"{scenario[1:]:0<7}{len(scenario)}"
    made = prepare(scenario, "high", run, engine=engine.socket, **options)
    done = play(made, engine.socket, _hush)
    engine.wait_for("untag", mark)
    assert done.left == []
    assert not list(Path("/tmp").glob(f"wharfinger-emulation-{done.run}"))  # noqa: S108
    return done, Counter(f"{event['Type']}/{event['Action']}".strip() for event in engine.events_since(mark))


def _hush(_: str) -> None:
    """Say nothing."""


def test_a_privileged_container_is_asked_for_and_not_started(engine: Engine) -> None:
    """D01: the pull is real, the inspect of the created container has the wanted settings, and it never runs."""
    seen: list[dict[str, Any]] = []

    def look(words: str) -> None:
        if words.endswith("is removed"):
            seen.extend(engine.inspect(one["Id"]) for one in labelled(engine.socket, "containers"))

    mark = len(engine.events_since())
    made = prepare("D01", "high", "d0100000", engine=engine.socket, faster=60)
    done = play(made, engine.socket, look)
    engine.wait_for("untag", mark)

    happened = Counter(f"{event['Type']}/{event['Action']}" for event in engine.events_since(mark))
    assert happened["image/pull"] == 1
    assert happened["container/create"] == 1
    assert happened["container/destroy"] == 1
    assert happened["container/start"] == 0
    (asked,) = seen
    assert asked["HostConfig"]["Privileged"] is True
    assert asked["HostConfig"]["PidMode"] == "host"
    assert asked["HostConfig"]["Binds"] == [f"{made.folder}/host:/host"]
    assert done.refused == []


def test_a_service_is_replaced_with_less_around_it(engine: Engine) -> None:
    """D04: updated, stopped, removed and made anew under its name, and it runs."""
    _, happened = played(engine, "D04", faster=40)

    assert happened["container/update"] == 1
    assert happened["container/create"] == happened["container/start"] == happened["container/destroy"] == 2


def test_commands_are_run_from_outside(engine: Engine) -> None:
    """E01: ten exec triples with their commands."""
    _, happened = played(engine, "E01", faster=20)

    assert happened["container/exec_create: cat /proc/1/environ"] == 1
    assert happened["container/exec_start: id"] == 1
    assert happened["container/exec_die"] == 10


def test_a_container_becomes_the_image_of_its_service(engine: Engine) -> None:
    """I07: copied into, committed to the tag it runs from, made anew from that."""
    _, happened = played(engine, "I07", minutes=0.05, faster=100)

    assert happened["container/extract-to-dir"] == 1
    assert happened["container/commit"] == 1
    assert happened["container/pause"] == happened["container/unpause"] == 1
    assert happened["container/create"] == 4  # two stand-ins one after the other, a controller and a resolver


def test_a_beacon_is_recorded_and_can_be_ingested(engine: Engine, tmp_path: Path) -> None:
    """N01: events, inspects and flows of the run are kept in the sources' own formats, the check-ins among them."""
    made = prepare("N01", "high", "a0100000", engine=engine.socket, minutes=0.05, faster=100)
    with Recorder(engine.socket, tmp_path, "quay-1", set(made.images)) as recorder:
        done = Player(made, engine.socket, _hush, recorder.network).play()

    assert recorder.notes == []
    requests = [json.loads(line) for line in (tmp_path / "http.log").read_text().splitlines()]
    assert len(requests) >= 3
    assert {(row["host"], row["uri"], row["user_agent"]) for row in requests} == {
        ("updates-sync.example", "/gate", "curl/7.58.0")
    }
    conns = [json.loads(line) for line in (tmp_path / "conn.log").read_text().splitlines()]
    assert {row["conn_state"] for row in conns if row.get("service") == "http"} == {"SF"}
    asked = [json.loads(line) for line in (tmp_path / "dns.log").read_text().splitlines()]
    assert any(row.get("answers") == [requests[0]["id.resp_h"]] for row in asked)
    records = [json.loads(line) for file in sorted(tmp_path.iterdir()) for line in file.read_text().splitlines()]
    batch = events_from_records(records, ref="recorded")
    assert not batch.rejects
    assert {"flow", "http", "dns", "config", "lifecycle", "image"} <= set(batch.events["kind"])
    _knows(tmp_path / "home", done, batch.events)


def _knows(folder: Path, done: Played, events: Any) -> None:
    """A home without the run's telemetry says so; with it, it names the stand-in's workload and not the sinks'."""
    home = open_home(Settings.load(folder, {}))
    assert detection(home, done).events == 0
    home.lake.append(events)
    found = detection(home, done)
    assert found.events > 0
    assert found.workloads == ("docker:emulation-a0100000/web",)
    assert found.strongest is None


def test_a_name_that_is_taken_ends_the_run_and_is_left_alone(engine: Engine) -> None:
    """The engine refuses the name: the run ends with that reason, and all of it is gone but what had the name."""
    made = prepare("E01", "high", "e0100000", engine=engine.socket)
    engine.docker("create", "--name", f"emulation-{made.run}-web-1", "operator/web:1", "sleep", "1")
    try:
        with pytest.raises(LiveError, match="in use"):
            Player(made, engine.socket, _hush).play()
        assert engine.inspect(f"emulation-{made.run}-web-1")["State"]["Status"] == "created"
    finally:
        engine.docker("rm", f"emulation-{made.run}-web-1")


def test_a_fault_of_its_own_leaves_nothing(engine: Engine) -> None:
    def break_down(words: str) -> None:
        if words.startswith("run in"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Player(prepare("E01", "high", "e0100000", engine=engine.socket), engine.socket, break_down).play()


def surroundings(folder: Path) -> dict[str, str]:
    """Let a process of its own find the packages, and keep its temporary files in a folder of the test."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(folder)}


@contextlib.contextmanager
def command(engine: Engine, home: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run the command until the stand-in is there, in a process of its own."""
    words = ["--home", str(home), "emulate", "E01", "--variant", "middle", "--socket", str(engine.socket), "--apply"]
    with subprocess.Popen(
        [sys.executable, "-m", "service.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=surroundings(home),
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while not any(one["State"] == "running" for one in labelled(engine.socket, "containers")):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_signals_in_the_middle_leave_nothing(engine: Engine, tmp_path: Path) -> None:
    """Not even further ones, while it cleans up, keep it from doing so."""
    with command(engine, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        for number in (signal.SIGINT, signal.SIGTERM):
            time.sleep(0.1)
            process.send_signal(number)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 130, output
    assert "what it made is removed" in output
    assert not list(tmp_path.glob("wharfinger-emulation-*"))


def test_sigterm_ends_a_run_between_its_steps(engine: Engine) -> None:
    def terminate(words: str) -> None:
        if words.startswith("create and start"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped) as stopped:
        Player(prepare("E01", "high", "e0100001", engine=engine.socket), engine.socket, terminate).play()
    assert stopped.value.number == signal.SIGTERM


def test_what_a_killed_run_leaves_is_cleaned_later(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill -9 all of it is still there; --clean removes it by the label."""
    with command(engine, tmp_path) as process:
        process.kill()
        process.wait(10)
    assert list(tmp_path.glob("wharfinger-emulation-*"))
    assert labelled(engine.socket, "containers")
    assert labelled(engine.socket, "networks")
    assert labelled(engine.socket, "images")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path), "emulate", "--clean", "--socket", str(engine.socket)])

    assert ended.value.code == 0
    assert "removed container emulation-" in capsys.readouterr().out
    assert not list(tmp_path.glob("wharfinger-emulation-*"))
