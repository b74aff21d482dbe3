"""The plan of an emulation: complete, safe, and the same for the same run; no engine is needed."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from service.cli import main
from service.emulation.live.actions import LABEL, Call, LiveError, Plan
from service.emulation.live.pace import Pace, gaps
from service.emulation.live.planner import obstacle, plan
from service.emulation.live.safety import ask
from service.emulation.live.stage import Options
from service.emulation.scenario import VARIANTS, Variant, library
from service.emulation.steps import Beacon

pytestmark = pytest.mark.slow

TEMPORARY = Path("/var/scratch/wharfinger-emulation-0123abcd")
ALL = Options(registry=5999, root=True, tls=True)
LIVE = [scenario for scenario in library().values() if not obstacle(scenario)]
WANTED = "I01 I03 I05 I07 D01 D02 D04 E01 E02 N01 N02 N03 N04 N05 N07 N08 N09 N11 N15 N16 N17".split()  # noqa: SIM905


def calls(made: Plan) -> list[Call]:
    return [call for action in [*made.setting, *made.actions] for call in action.calls]


def created(made: Plan) -> list[dict[str, Any]]:
    return [body for call in calls(made) if "/containers/create" in call.target and (body := spoken(call))]


def spoken(call: Call) -> dict[str, Any]:
    return dict(call.body) if isinstance(call.body, dict) else {}


def test_what_the_catalogue_shows_on_an_engine_can_be_played() -> None:
    assert set(WANTED) <= {scenario.id for scenario in LIVE}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scenario", LIVE, ids=lambda scenario: scenario.id)
@pytest.mark.parametrize("options", [ALL, Options()], ids=["able", "bare"])
def test_every_plan_keeps_to_the_emulation_s_own(scenario: Any, variant: Variant, options: Options) -> None:
    """Whatever is asked for, containers are labelled, networks internal, images local, and binds of empty folders."""
    made = plan(scenario, variant, "0123abcd", options, TEMPORARY.parent)

    assert created(made)
    for body in created(made):
        assert body["Labels"][LABEL] == "0123abcd"
        assert body["Image"].split("/")[0] in {"emulation.invalid", f"127.0.0.1:{options.registry}"}
        assert all(bind.startswith(f"{TEMPORARY}/") for bind in body["HostConfig"].get("Binds", []))
        assert body["Cmd"][0] == "sh"
        assert body["Cmd"][1] in made.files
    for call in calls(made):
        if call.target == "/networks/create":
            assert isinstance(call.body, dict)
            assert call.body["Internal"] is True
            assert call.body["Labels"] == {LABEL: "0123abcd"}
        if "fromImage" in call.target:
            assert f"fromImage=127.0.0.1%3A{options.registry}" in call.target
    assert made.seconds <= options.minutes * 60 + 1


def test_the_same_run_has_the_same_plan() -> None:
    scenario = library()["N01"]

    first, second = (plan(scenario, "low", "0123abcd", ALL) for _ in range(2))

    assert [str(call) for call in calls(first)] == [str(call) for call in calls(second)]
    assert first.files == second.files
    assert plan(scenario, "low", "ffffffff", ALL).files != first.files


def test_a_privileged_container_is_started_only_where_that_is_asked_for() -> None:
    def starts(options: Options) -> list[str]:
        made = plan(library()["D01"], "high", "0123abcd", options)
        return [call.target for call in calls(made) if call.target.endswith("/start")]

    assert starts(Options()) == []
    assert len(starts(Options(privileged=True))) == 1


def test_the_host_s_folders_are_replaced_and_the_plan_says_so() -> None:
    asked = ask(
        {"Binds": ["/:/host:ro", ""], "Privileged": False, "Sysctls": {"a": "b"}}, Path("/run/x"), privileged=False
    )

    assert asked.settings == {"Binds": ["/run/x/host:/host:ro"]}
    assert any("the host's / is replaced by the empty folder /run/x/host" in note for note in asked.notes)
    assert any("Sysctls is left out" in note for note in asked.notes)


def test_published_ports_stay_on_loopback() -> None:
    asked = ask({"PortBindings": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}]}}, Path("/x"), privileged=False)  # noqa: S104

    assert asked.settings["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}


def test_commands_are_echoed_where_the_settings_are_dangerous() -> None:
    made = plan(library()["D02"], "high", "0123abcd", ALL)

    commands = [command for call in calls(made) if "/exec" in call.target and (command := spoken(call).get("Cmd"))]
    assert commands
    assert all(command[:3] == ["sh", "-c", "echo"] for command in commands)


def test_long_activity_is_cut_and_never_sped_up_unless_asked() -> None:
    """Ten minutes of a beacon of a minute are ten check-ins; only --faster makes them more."""
    beacon = Beacon(to="x", period=60, lasting=10_800)
    pace, fast = Pace([beacon], 10), Pace([beacon], 10, 30)

    seconds = pace.lasts("check-ins", 0, beacon.lasting)
    assert len(gaps(pace.gap(60), 0, seconds, "run")) == 10
    assert "600 s of 10800 s" in " ".join(pace.notes)
    assert len(gaps(fast.gap(60), 0, fast.lasts("check-ins", 0, beacon.lasting), "run")) == 180
    assert "louder" in " ".join(fast.notes)


def test_waits_are_squeezed_in_order() -> None:
    pace = Pace([Beacon(at=at, to="x", period=1, lasting=1) for at in (0.0, 60.0, 7200.0)], 10)

    moments = [pace.when(at) for at in (0.0, 60.0, 7200.0)]
    assert all(earlier < later for earlier, later in itertools.pairwise(moments))
    assert moments[-1] == pytest.approx(300)


@pytest.mark.parametrize(
    ("scenario", "reason"), [("C01", "its parts"), ("E04", "Kubernetes"), ("E07", "nothing to see")]
)
def test_what_cannot_be_played_says_why(scenario: str, reason: str) -> None:
    with pytest.raises(LiveError, match=reason):
        plan(library()[scenario], "high", "0123abcd", ALL)


def test_what_is_missing_is_left_out_and_told() -> None:
    """Without a registry nothing is pulled, without openssl no TLS is spoken: the plan says so."""
    pulled = plan(library()["I01"], "high", "0123abcd", Options())
    assert not any("fromImage" in call.target for call in calls(pulled))
    assert any("no docker-registry" in note for note in pulled.notes)
    assert any("no openssl" in note for note in plan(library()["N05"], "high", "0123abcd", Options()).notes)
    assert any("root" in note for note in plan(library()["N07"], "high", "0123abcd", Options()).notes)


def test_the_command_shows_a_plan_and_does_nothing(tmp_path: Path) -> None:
    """Without --apply there need not even be an engine."""
    socket = str(tmp_path / "none.sock")
    words = ["--home", str(tmp_path / "home"), "emulate", "D01", "--socket", socket]
    shown = CliRunner().invoke(main, words)

    assert shown.exit_code == 0
    assert "POST /containers/create" in shown.output
    assert "Nothing was done" in shown.output
    assert not (tmp_path / "home").exists()

    refused = CliRunner().invoke(main, [*words, "--apply"])
    assert refused.exit_code == 1
    assert "no Docker Engine answers" in refused.output


def test_the_command_lists_what_can_be_played(tmp_path: Path) -> None:
    listed = CliRunner().invoke(main, ["--home", str(tmp_path), "emulate"], env={"COLUMNS": "400"})

    words = [line.split() for line in listed.output.splitlines()]
    rows = {row[0]: row[1] for row in words if row[1:2] in (["yes"], ["no"])}
    assert rows.keys() == library().keys()
    assert {scenario.id for scenario in LIVE} == {identity for identity, live in rows.items() if live == "yes"}


def test_no_call_holds_what_json_cannot() -> None:
    for scenario in LIVE:
        for call in calls(plan(scenario, "high", "0123abcd", ALL)):
            assert isinstance(call.body, bytes) or json.dumps(call.body)
