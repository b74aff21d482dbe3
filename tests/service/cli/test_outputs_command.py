"""The command that lists and tests outputs, and the service that delivers to them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.cli import main
from service.jobs.announce import announce
from service.settings import Settings
from service.wiring import Home, open_home
from tests.alerts import score
from tests.service.outputs.conftest import Receiver, eventually, free_port, listening

TABLES = """
[[outputs]]
type = "webhook"
name = "hook"
url = "{url}"
secret_env = "HOOK"

[[outputs]]
type = "file"
name = "archive"
path = "{folder}/alerts.ndjson"
severity = "critical"
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with two outputs and an alert that neither was told of yet."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "wharfinger.toml").write_text(TABLES.format(url=receiver.url, folder=tmp_path))
    monkeypatch.setenv("WHARFINGER_HOME", str(folder))
    monkeypatch.setenv("HOOK", "a secret")
    home = open_home(Settings.load(folder, {}))
    home.store.replace([score("w", 0, "high")])
    announce(home, now=datetime.now(UTC))
    return home


Wharfinger = Callable[..., tuple[int, str, str]]


@pytest.fixture
def wharfinger(capfd: pytest.CaptureFixture[str]) -> Wharfinger:
    """Run the command line in this process, and give its code and what it wrote."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.mark.usefixtures("home")
def test_list_shows_what_waits(wharfinger: Wharfinger) -> None:
    """Each output stands with its kind, what it wants and how much waits for it."""
    code, out, _ = wharfinger("outputs", "list")

    assert code == 0
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["hook", "webhook", "high", "all", "1", "0"],
        ["archive", "file", "critical", "all", "0", "0"],
    ]


@pytest.mark.usefixtures("home")
def test_deliver_sends_what_is_due(wharfinger: Wharfinger, receiver: Receiver) -> None:
    """What waits is sent once, and the command says how it went."""
    assert wharfinger("outputs", "deliver") == (0, "", "messages to outputs: 1 delivered\n")
    assert wharfinger("outputs", "deliver") == (0, "", "")
    assert len(receiver.requests) == 1


@pytest.mark.usefixtures("home")
def test_dead_letters_can_be_had_back(wharfinger: Wharfinger, receiver: Receiver) -> None:
    """What was refused is listed with its reason, and sent again when asked for."""
    receiver.answers = [(400, {}, b"no such field")]

    code, _, err = wharfinger("outputs", "deliver")
    assert code == 1
    assert "answered 400: no such field" in err
    _, out, _ = wharfinger("outputs", "dead-letters")
    assert "high alert: w" in out
    assert "no such field" in out
    assert wharfinger("outputs", "dead-letters", "--retry")[:2] == (0, "1 due again, 0 left\n")
    assert wharfinger("outputs", "deliver")[0] == 0
    assert wharfinger("outputs", "dead-letters")[1] == "0 dead letters\n"


@pytest.mark.usefixtures("home")
def test_output_is_tried(wharfinger: Wharfinger, receiver: Receiver, tmp_path: Path) -> None:
    """A test message arrives at once; what does not work is said in one line."""
    assert wharfinger("outputs", "test", "archive")[0] == 0
    assert json.loads((tmp_path / "alerts.ndjson").read_text())["event"] == "test"
    receiver.answers = [(403, {}, b"")]
    assert wharfinger("outputs", "test", "hook") == (
        1, "", f"wharfinger: {receiver.url.removeprefix('http://')} answered 403\n",
    )  # fmt: skip
    code, _, err = wharfinger("outputs", "test", "pigeon")
    assert (code, err) == (1, "wharfinger: there is no output pigeon (hook, archive)\n")


def test_mistake_is_one_line(wharfinger: Wharfinger, home: Home) -> None:
    """A table that cannot be is one line that names it, before the service starts or hours of scoring begin."""
    (home.settings.home / "wharfinger.toml").write_text('[[outputs]]\ntype = "file"\nname = "a"\npath = "b"\n')

    for words in (("outputs", "list"), ("serve", "--port", "0"), ("score",)):
        code, _, err = wharfinger(*words)
        assert code == 1
        assert err.startswith("wharfinger: outputs table 1 (a): the path must be absolute")
        assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_service_delivers(home: Home, receiver: Receiver, tmp_path: Path) -> None:
    """While the service runs, what is in the outbox arrives without any command, once, and the secret is in no log."""
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(free_port()), "--workers", "2"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, env=os.environ | {"PYTHONPATH": "."}, stdout=log, stderr=log) as process,
    ):
        eventually(lambda: home.outbox.counts() == {("hook", "delivered"): 1}, "the delivery")
        process.terminate()
        process.wait(60)

    assert len(receiver.requests) == 1
    lines = (tmp_path / "log").read_text()
    assert "message delivered" in lines
    assert "a secret" not in lines
