import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import click
import msgspec
import pytest

from service.cli import COMMANDS, main
from service.jobs.incidents import page
from service.selection import Selection
from service.settings import Settings
from service.wiring import Home

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]
ROW = {
    "workload", "window_start", "window_end", "score", "bits", "p_value", "severity", "evidence", "reasons", "baseline",
    "model",
}  # fmt: skip


class Fleet(Protocol):
    """What the fixture `fleet` gives."""

    settings: Settings
    home: Home
    version: str


def command_line(*words: str) -> list[str]:
    return [sys.executable, "-m", "service.cli", *words]


@pytest.fixture
def wharfinger(tmp_path: Path) -> Run:
    """Run the command line in a process of its own, as a tool would: piped, with a home of its own."""

    def run(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"WHARFINGER_HOME": str(home or tmp_path / "home")}
        return subprocess.run(command_line(*words), env=environment, capture_output=True, text=True, timeout=300)  # noqa: PLW1510 -- exit codes are what is tested

    return run


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


def test_help_imports_no_heavy_library() -> None:
    """The list of commands is shown without importing polars, numpy or a web framework: it answers at once."""
    code = (
        "import sys; from service.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: sys.exit(','.join({'polars', 'numpy', 'flask', 'sklearn'} & set(sys.modules)) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_help_it_is_listed_with(name: str) -> None:
    """Each listed command exists, and its own help begins with the line that the list shows."""
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("ingest", "/nonexistent/file"), 1, "does not exist"),
        (("ingest",), 2, "--help"),
        (("nonsense",), 2, "no such command"),
        (("score",), 1, "wharfinger refresh"),
        (("refresh",), 1, "wharfinger ingest"),
        (("incidents",), 1, "wharfinger score"),
        (("models", "show"), 1, "wharfinger refresh"),
        (("models", "rollback"), 1, ""),
        (("models", "promote", "no-such-version"), 1, "no-such-version"),
        (("score", "--since", "yesterday"), 2, "ISO"),
        (("explain", "docker:shop/api", "2026-09-13T02:00:00Z"), 1, "wharfinger refresh"),
        (("serve", "--host", "0.0.0.0"), 1, "keys create"),  # noqa: S104 -- it is refused
    ],
)
def test_errors_are_one_line_that_says_what_to_do(
    words: tuple[str, ...], code: int, told: str, wharfinger: Run
) -> None:
    """Whatever goes wrong is one line on standard error, nothing on standard output; the exit code says which kind."""
    done = wharfinger(*words)

    assert (done.returncode, done.stdout) == (code, "")
    line = only_line(done.stderr)
    assert line.startswith("wharfinger: ")
    assert told in line


def test_debug_shows_the_trace(wharfinger: Run) -> None:
    """With --debug the trace stands before the line; without it there is none."""
    assert "Traceback" in wharfinger("--debug", "score").stderr
    assert "Traceback" not in wharfinger("score").stderr


def test_broken_setting_is_one_line(wharfinger: Run, tmp_path: Path) -> None:
    """A settings file that cannot be read is named, without a trace."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "wharfinger.toml").write_text("alert_budget = 'much'\n")

    done = wharfinger("score")

    assert done.returncode == 1
    assert "alert_budget" in only_line(done.stderr)


def test_ingest_exits_by_what_was_understood(wharfinger: Run, tmp_path: Path) -> None:
    """Nothing but junk is a failure that names the reject file; good input is a success, the second time too."""
    junk, good = tmp_path / "junk.ndjson", tmp_path / "good.ndjson"
    junk.write_text("this is not telemetry\n")
    pull = {
        "Type": "image",
        "Action": "pull",
        "Actor": {"ID": "r.example/x:1", "Attributes": {}},
        "time": 1_790_000_000,
    }
    good.write_text(json.dumps(pull) + "\n")

    refused, first, second = (wharfinger("ingest", str(path)) for path in (junk, good, good))

    assert refused.returncode == 1
    assert "nothing was accepted" in only_line(refused.stderr)
    letters = Path(refused.stdout.splitlines()[-1].removeprefix("rejected lines, with reasons: "))
    assert json.loads(letters.read_text())["file"] == str(junk)
    assert [first.returncode, second.returncode] == [0, 0]
    assert [line.split() for line in second.stdout.splitlines()] == [
        ["source", "accepted", "duplicate", "rejected"],
        ["docker_events", "0", "1", "0"],
    ]


def test_score_prints_one_object_a_window(fleet: Fleet, wharfinger: Run, tmp_path: Path) -> None:
    """NDJSON carries exactly the score objects, by time and workload, the same in a file and on every run."""
    words = ("score", "--since", "2026-09-13", "--format", "ndjson")

    done = wharfinger(*words, home=fleet.settings.home)

    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    assert all(row.keys() - {"attribution", "counterfactual"} == ROW for row in rows)
    assert rows == sorted(rows, key=lambda row: (row["window_start"], row["workload"]))
    again = wharfinger(*words, "--output", str(tmp_path / "scores.ndjson"), home=fleet.settings.home)
    assert (again.returncode, again.stdout) == (0, "")
    assert (tmp_path / "scores.ndjson").read_text() == done.stdout


def test_break_in_is_listed_and_explained(fleet: Fleet, wharfinger: Run) -> None:
    """The strongest window of the table is the break-in; explain names its destination and what is normal."""
    home = fleet.settings.home

    table = wharfinger("score", "--since", "2026-09-13", home=home)
    told = wharfinger("explain", "docker:shop/api", "2026-09-13T02:05:00Z", home=home)
    alerts = wharfinger("incidents", "--severity", "low", "--format", "ndjson", home=home)

    assert "docker:shop/api" in table.stdout.splitlines()[1]
    assert told.returncode == 0
    assert "203.0.113.66" in told.stdout
    assert "What is normal" in told.stdout
    assert json.loads(alerts.stdout.splitlines()[0])["workload"] == "docker:shop/api"


def test_incidents_are_those_of_the_api(fleet: Fleet, wharfinger: Run) -> None:
    """Listed by workload, time and severity, alerts are the incidents that `GET /v1/incidents` gives, in full."""
    home = fleet.settings.home
    wharfinger("score", "--since", "2026-09-13", home=home)

    def listed(*words: str) -> list[dict[str, object]]:
        done = wharfinger("incidents", "--format", "ndjson", *words, home=home)
        assert done.returncode == 0
        return [json.loads(line) for line in done.stdout.splitlines()]

    everything = listed("--severity", "low")
    strongest = everything[0]
    within = datetime.fromisoformat(str(strongest["end"])) - timedelta(minutes=10)

    expected, _ = page(fleet.home.database, Selection(), "low", order="bits", limit=1000, cursor=None)
    assert everything == [msgspec.json.decode(msgspec.json.encode(one)) for one in expected]
    assert [one for one in everything if one["workload"] == "docker:shop/api"] == listed(
        "--severity", "low", "--workload", "docker:shop/api"
    )
    assert strongest in listed("--severity", "low", "--since", within.isoformat())
    assert strongest not in listed("--severity", "low", "--until", str(strongest["start"]))
    assert listed("--workload", "docker:shop/nobody") == []


def test_explain_of_a_window_without_events_says_so(fleet: Fleet, wharfinger: Run) -> None:
    """A workload that nobody knows is one line that says where to look."""
    done = wharfinger("explain", "docker:shop/nobody", "2026-09-13T02:00:00Z", home=fleet.settings.home)

    assert done.returncode == 1
    assert "docker:shop/nobody" in only_line(done.stderr)


@pytest.mark.parametrize("columns", ["80", "200"])
def test_tables_fit_the_terminal(columns: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, wharfinger: Run) -> None:
    """No line is wider than the terminal says it is, and no word of a reason is lost."""
    monkeypatch.setenv("COLUMNS", columns)

    done = wharfinger("score", "--since", "2026-09-13", home=fleet.settings.home)

    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    words = " ".join(done.stdout.split())
    assert "4 MB sent" in words
    assert "…" not in words


def test_models_can_be_listed_shown_and_promoted(fleet: Fleet, wharfinger: Run) -> None:
    """The champion is marked in the list, its manifest is JSON, and promoting it again is harmless."""
    home = fleet.settings.home

    listed = wharfinger("models", "list", home=home)
    shown = wharfinger("models", "show", home=home)
    promoted = wharfinger("models", "promote", fleet.version, home=home)

    assert [line.split()[:2] for line in listed.stdout.splitlines()[1:]] == [[fleet.version, "champion"]]
    assert json.loads(shown.stdout)["features"]
    assert promoted.returncode == 0


def test_interrupt_ends_with_one_line_and_keeps_the_work(fleet: Fleet, tmp_path: Path) -> None:
    """Ctrl-C in the middle of an ingest ends with one line; running it again completes it."""
    source = next(fleet.settings.home.parent.glob("*.ndjson")).read_text()
    paths = [tmp_path / f"{number}.ndjson" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text("".join(f"{line}\n" for line in source.splitlines()[number::3]))
    os.mkfifo(tmp_path / "never.ndjson")
    environment = os.environ | {"WHARFINGER_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        command_line("ingest", *map(str, paths), str(tmp_path / "never.ndjson")),
        env=environment,
        stderr=subprocess.PIPE,
        # whoever runs the tests in the background has interrupts ignored, and children inherit that
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- one thread
    )
    for _ in range(600):
        if len(list((tmp_path / "home" / "lake").glob("date=*/*.parquet"))) >= len(paths):
            break
        time.sleep(0.1)

    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 130
    assert only_line(told.decode()).startswith("wharfinger: stopped")
    assert list((tmp_path / "home" / "lake").glob("date=*/*.parquet"))


def test_reader_that_stops_reading_is_no_error(fleet: Fleet) -> None:
    """`wharfinger score --format ndjson | head -1` ends quietly."""
    environment = os.environ | {"WHARFINGER_HOME": str(fleet.settings.home)}
    writer = subprocess.Popen(
        command_line("score", "--format", "ndjson"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stderr is not None

    first = writer.stdout.readline()
    writer.stdout.close()
    told = writer.stderr.read()
    writer.stderr.close()

    assert json.loads(first).keys() == ROW
    assert (writer.wait(60), told) == (0, b"")
