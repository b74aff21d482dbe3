import gzip
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from features.protocols import specs
from models.incidents import alerts
from service.api.documentation import CONTENT_POLICY
from service.app import SECURITY_HEADERS, create_app
from service.emulation.scenario import library
from service.settings import Settings

ROOT = Path(__file__).parents[3]
PROBLEM = "application/problem+json"


def test_stored_scores_come_page_by_page(client: FlaskClient) -> None:
    """The cursors walk through every stored score once, the strangest first if asked."""
    found, cursor = [], ""
    while True:
        page = client.get(f"/v1/scores?order=bits&limit=50{cursor}").json
        found += page["scores"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(found) == len({(score["workload"], score["window_start"]) for score in found}) > 100
    bits = [score["bits"] for score in found]
    assert bits == sorted(bits, reverse=True)
    assert found[0]["workload"] == "docker:shop/api"


def test_filters_narrow_stored_scores(client: FlaskClient) -> None:
    """Workload, time and severity are honoured together."""
    page = client.get(
        "/v1/scores?workload=docker:shop/api&severity=high&since=2026-09-13T02:00:00Z&until=2026-09-13T02:30:00Z"
    ).json
    assert page["scores"]
    assert {score["workload"] for score in page["scores"]} == {"docker:shop/api"}
    assert all("T02:" in score["window_start"] for score in page["scores"])


def test_host_and_technique_narrow_stored_scores(client: FlaskClient) -> None:
    """The fleet runs on one host, which its snapshots name; a technique finds the windows whose reasons point to it."""
    everything = client.get("/v1/scores?limit=1000").json["scores"]
    assert client.get("/v1/scores?limit=1000&host=n1").json["scores"] == everything
    assert client.get("/v1/scores?host=n2").json == {"scores": [], "next": None}

    page = client.get("/v1/scores?limit=1000&technique=T1571&host=n1").json

    wanted = [score for score in everything if "T1571" in {reason["technique"] for reason in score["reasons"]}]
    assert 0 < len(page["scores"]) < len(everything)
    assert page["scores"] == wanted


@pytest.mark.parametrize(
    "query",
    [
        "technique=T1",
        "limit=0",
        "limit=x",
        "severity=loud",
        "since=yesterday",
        "since=2026-09-13",
        "order=up",
        "cursor=x",
        "worklod=a",
        "limit=1&limit=2",
    ],
)
def test_bad_parameters_are_422(client: FlaskClient, query: str) -> None:
    """A parameter that is unknown, repeated or has a value it cannot have is refused, never ignored."""
    answer = client.get(f"/v1/scores?{query}")
    assert (answer.status_code, answer.content_type) == (422, PROBLEM)
    assert answer.json["detail"]


def test_incidents_are_runs(client: FlaskClient) -> None:
    """The break-in is one incident of several windows, the strongest of all, on the host that ran the workload."""
    first = client.get("/v1/incidents?host=n1&technique=T1571").json["incidents"][0]
    assert first["workload"] == "docker:shop/api"
    assert first["windows"] >= 3
    assert (first["start"], first["hosts"]) == ("2026-09-13T02:00:00Z", ["n1"])
    assert client.get("/v1/incidents?host=n2").json == {"incidents": [], "next": None}

    for name in (first["id"], quote(first["id"], safe="")):
        told = client.get(f"/v1/incidents/{name}").json
        assert told["incident"] == first
        assert told["windows"][0]["window_start"] == first["start"]
        assert len(told["windows"]) == first["windows"]
        assert told["verdicts"] == []


def test_incidents_come_page_by_page(client: FlaskClient) -> None:
    """The cursors walk through every incident once, in either order, and belong to their question."""
    every = client.get("/v1/incidents?severity=low&limit=1000").json
    assert len(every["incidents"]) > 3
    assert every["next"] is None
    for order in ("bits", "time"):
        found, cursor = [], ""
        while cursor is not None:
            page = client.get(f"/v1/incidents?severity=low&order={order}&limit=2{cursor}").json
            found += page["incidents"]
            cursor = page["next"] and f"&cursor={page['next']}"
        key = "start" if order == "time" else "bits"
        assert [one[key] for one in found] == sorted((one[key] for one in found), reverse=True)
        assert sorted(one["id"] for one in found) == sorted(one["id"] for one in every["incidents"])
    stolen = client.get("/v1/incidents?severity=low&limit=2").json["next"]
    assert client.get(f"/v1/incidents?severity=medium&cursor={stolen}").status_code == 422
    assert client.get(f"/v1/scores?cursor={stolen}").status_code == 422


@pytest.mark.parametrize("name", ["x", "2026-09-13T02:00:00Z/docker:no", "2026-09-13T02:00:00/docker:shop/api"])
def test_what_is_no_incident_is_404(client: FlaskClient, name: str) -> None:
    """A name that leads to no strange window is not found, and the answer says where to look."""
    answer = client.get(f"/v1/incidents/{quote(name, safe='')}")
    assert (answer.status_code, answer.content_type) == (404, PROBLEM)
    assert "GET /v1/incidents" in answer.json["detail"]


def test_workloads_and_their_baselines(client: FlaskClient) -> None:
    """Each workload is listed, and its baseline answers under its name, plain or percent-encoded."""
    names = [row["workload"] for row in client.get("/v1/workloads").json["workloads"]]
    assert set(names) == {f"docker:shop/{name}" for name in ("api", "db", "web", "worker")}
    for name in ("docker:shop/api", quote("docker:shop/api", safe="")):
        answer = client.get(f"/v1/workloads/{name}/baseline")
        assert answer.json["workload"] == "docker:shop/api"
        assert answer.json["baseline"]["items"]["network.new_destination"]
    assert client.get("/v1/workloads/docker:no/such/baseline").status_code == 404


def test_models_are_listed_and_shown(client: FlaskClient) -> None:
    """The champion stands in the list and has its manifest."""
    listed = client.get("/v1/models").json
    assert listed["champion"] == listed["models"][0]["version"]
    shown = client.get(f"/v1/models/{listed['champion']}").json
    assert shown["champion"] is True
    assert shown["manifest"]["features"]
    assert client.get("/v1/models/2020-01-01T00:00:00Z-0000").status_code == 404
    assert client.get("/v1/models/..%2f..").status_code == 404


def test_promotion(client: FlaskClient) -> None:
    """Promoting the champion again is harmless, an unknown model is 404."""
    version = client.get("/v1/models").json["champion"]
    assert client.post(f"/v1/models/{version}/promote").json == {"champion": version, "before": version}
    assert client.post("/v1/models/x/promote").status_code == 404


def test_strategies_are_shown(client: FlaskClient) -> None:
    """Each family of features that is watched has its strategy: techniques, features, claims, and the page itself."""
    listed = client.get("/v1/ads").json["ads"]
    assert [one["id"] for one in listed] == ["pulls", "network", "config", "control"]
    for one in listed:
        assert one["features"] == [name for name in specs() if specs()[name].family == one["id"]]
        assert {specs()[name].technique for name in one["features"]} <= {each["id"] for each in one["techniques"]}
        assert all(each["tactics"] for each in one["techniques"])
        assert set(one["scenarios"]) <= set(library())
        full = client.get(f"/v1/ads/{one['id']}").json
        assert {name: full[name] for name in one} == one
        page = (ROOT / "docs" / "ads" / f"{one['id']}.md").read_text("utf-8")
        for name, text in full["sections"].items():
            assert f"## {name}\n\n{text}" in page
    assert client.get("/v1/ads/README").status_code == 404
    assert client.get("/v1/ads/..%2f..%2fsettings").status_code == 404


def test_an_installed_package_has_its_strategies(tmp_path: Path) -> None:
    """Laid out as the wheel is, the package finds the pages within itself."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for place, target in {**{name: name for name in wheel["packages"]}, **wheel["force-include"]}.items():
        shutil.copytree(ROOT / place, tmp_path / target, dirs_exist_ok=True)

    program = "import service.strategies as s; print(s.__file__, *s.strategies())"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )

    place, *names = found.stdout.split()
    assert Path(place).is_relative_to(tmp_path)
    assert names == ["pulls", "network", "config", "control"]


def test_readiness_tells_the_truth(client: FlaskClient, empty: FlaskClient) -> None:
    """Ready with a model; 503 with the reason without one; alive in both cases."""
    assert client.get("/readyz").json["status"] == "ready"
    answer = empty.get("/readyz")
    assert (answer.status_code, answer.content_type) == (503, PROBLEM)
    assert answer.json["checks"]["model"].startswith("no model yet")
    assert answer.json["checks"]["store"] == "ok"
    assert empty.get("/healthz").json["status"] == "ok"


def test_a_missing_lake_is_told(settings_at: Callable[..., Settings]) -> None:
    """A lake that cannot be read makes the service not ready and says so."""
    settings = settings_at()
    client = create_app(settings).test_client()
    (settings.home / "lake").rmdir()
    assert "cannot be read" in client.get("/readyz").json["checks"]["lake"]


def test_metrics_count_requests_and_name_the_model(client: FlaskClient) -> None:
    """Requests are counted by route, never by path, and the model in use is told."""
    client.get("/v1/workloads/docker:very/special/baseline")
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain")
    text = answer.text
    assert 'route="/v1/workloads/<path:workload>/baseline",status="404"' in text
    assert "very/special" not in text
    assert f'wharfinger_model_info{{version="{client.get("/v1/models").json["champion"]}"}} 1.0' in text


def test_metrics_tell_realised_alerts_beside_the_budget(client: FlaskClient, fleet: Any) -> None:
    """The alerts of the last day stand beside what each severity was made for, and the model tells its age."""
    text = client.get("/metrics").text
    told = {name: float(value) for name, value in re.findall(r"^(wharfinger_\S+) (\S+)$", text, flags=re.MULTILINE)}
    scores, _ = fleet.home.store.query(limit=1000)
    for severity, times in {"low": 50, "medium": 10, "high": 1, "critical": 0.1}.items():
        label = f'{{severity="{severity}"}}'
        assert told[f"wharfinger_alert_budget_per_day{label}"] == pytest.approx(fleet.settings.alert_budget * times)
        assert told[f"wharfinger_alerts_last_day{label}"] == len(alerts(scores, at_least=severity))
    created = fleet.home.registry.manifest(fleet.version)["created_at"]
    assert told["wharfinger_model_created_timestamp_seconds"] == datetime.fromisoformat(created).timestamp()
    assert told['wharfinger_alerts_last_day{severity="high"}'] >= 1


def test_errors_are_problems(client: FlaskClient) -> None:
    """Unknown paths and wrong methods are problems too, and 405 tells what is allowed."""
    missing = client.get("/v1/nothing")
    assert (missing.status_code, missing.content_type) == (404, PROBLEM)
    wrong = client.delete("/v1/scores")
    assert (wrong.status_code, wrong.content_type) == (405, PROBLEM)
    assert {"GET", "POST"} <= set(wrong.headers["Allow"].split(", "))


def test_a_bug_is_a_problem_without_details(settings_at: Callable[..., Settings]) -> None:
    """A failure inside is 500 and tells the client nothing of the inside."""
    settings = settings_at()
    broken = create_app(settings).test_client()
    with sqlite3.connect(settings.home / "wharfinger.db") as raw:
        raw.execute(
            "INSERT INTO scores (workload, window_start, window_end, bits, severity, model, body)"
            " VALUES ('a', 0, 0, 1, 0, 'm', 'malformed')"
        )
    raw.close()
    answer = broken.get("/v1/scores")
    assert (answer.status_code, answer.content_type) == (500, PROBLEM)
    assert "malformed" not in answer.text


def test_a_database_that_fails_is_told_without_details(settings_at: Callable[..., Settings]) -> None:
    """A request that the database cannot answer is 503 with the time to come again, and tells nothing of the inside."""
    settings = settings_at()
    broken = create_app(settings).test_client()
    with sqlite3.connect(settings.home / "wharfinger.db") as raw:
        raw.execute("DROP TABLE scores")
    raw.close()
    answer = broken.get("/v1/scores")
    assert (answer.status_code, answer.content_type, answer.headers["Retry-After"]) == (503, PROBLEM, "5")
    assert "sqlite" not in answer.text.lower()


def test_body_limits(settings_at: Callable[..., Settings]) -> None:
    """A body too large, as sent or inflated, is 413."""
    client = create_app(settings_at(max_body_bytes="2000", max_inflated_bytes="5000")).test_client()
    json_headers = {"Content-Type": "application/json"}
    assert client.post("/v1/scores", data=b" " * 2001, headers=json_headers).status_code == 413
    bomb = gzip.compress(b" " * 1_000_000)
    assert len(bomb) < 2000
    answer = client.post("/v1/scores", data=bomb, headers={**json_headers, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.content_type) == (413, PROBLEM)


def test_foreign_sites_are_kept_out(client: FlaskClient) -> None:
    """A page of another origin can neither rebind DNS onto the service nor promote a model."""
    assert client.get("/v1/scores", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/v1/scores", headers={"Host": "127.0.0.1:9999"}).status_code == 200
    assert client.get("/v1/scores", headers={"Host": "[::1]:9999"}).status_code == 200
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/v1/models/x/promote", headers=headers).status_code == 403
    assert client.post("/v1/models/x/promote", headers={"Origin": "http://localhost"}).status_code == 404


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/scores", "/v1/nothing", "/healthz", "/static/wharfinger.css"])
def test_every_answer_has_security_headers(client: FlaskClient, path: str) -> None:
    """Pages, data, errors and files carry the same strict headers."""
    with client.get(path) as answer:
        more = {"Content-Security-Policy": f"{CONTENT_POLICY}; script-src 'self'; connect-src 'self'"}
        expected = SECURITY_HEADERS | (more if path == "/docs" else {})
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == expected
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
