import gzip
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PROBLEM = "application/problem+json"
START = "2026-09-13T12:00:00Z"
CALM = {"network.connections": 6, "network.new_destination": ["192.0.2.10"], "network.new_edge": ["192.0.2.10:443"]}
STRANGE = {
    "network.connections": 60,
    "network.bytes_out": 4e6,
    "network.new_destination": {"203.0.113.66": 60},
    "network.new_edge": {"203.0.113.66:4444": 60},
}


def window(workload: str = "docker:shop/api", start: str = START, **features: Any) -> dict[str, Any]:
    return {"workload": workload, "window_start": start, "features": features}


def post(client: FlaskClient, body: object, **headers: str) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/v1/scores", data=raw, headers={"Content-Type": "application/json", **headers})


def pull(host: str = "n1") -> dict[str, Any]:
    return {
        "Type": "image",
        "Action": "pull",
        "Actor": {"ID": "registry.example/x:1", "Attributes": {"name": "registry.example/x"}},
        "scope": "local",
        "time": 1790000000,
        "timeNano": 1790000000000000000,
        "host": host,
    }


def test_a_strange_window_scores_above_a_calm_one(client: FlaskClient) -> None:
    """Windows are scored in the order given, with reasons, by the champion; nothing is stored."""
    before = client.get("/v1/scores?limit=1000").json
    answer = post(client, {"windows": [window(**STRANGE), window("docker:shop/db", **CALM)]})
    assert answer.status_code == 200
    strange, calm = answer.json["scores"]
    assert (strange["workload"], calm["workload"]) == ("docker:shop/api", "docker:shop/db")
    assert strange["bits"] > calm["bits"] + 5
    assert strange["severity"] in ("high", "critical")
    assert "203.0.113.66" in json.dumps(strange["reasons"])
    assert strange["window_end"] == "2026-09-13T12:10:00Z"
    assert answer.json["model"] == strange["model"]
    assert client.get("/v1/scores?limit=1000").json == before


def test_order_of_windows_does_not_matter(client: FlaskClient) -> None:
    """A window has the same score wherever it stands and whatever stands beside it."""
    windows = [window(f"docker:shop/{name}", **features) for name in ("web", "api", "db") for features in (STRANGE,)]
    forth = post(client, {"windows": windows}).json["scores"]
    back = post(client, {"windows": windows[::-1]}).json["scores"]
    alone = post(client, {"windows": windows[1:2]}).json["scores"]
    assert forth == back[::-1]
    assert alone == forth[1:2]


def test_an_unknown_workload_is_judged_by_its_like(client: FlaskClient) -> None:
    """A workload the model never saw is scored against its cohort or the fleet, never refused."""
    (score,) = post(client, {"windows": [window("docker:other/new", **CALM)]}).json["scores"]
    assert score["baseline"]["level"] in ("cohort", "fleet")


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"workload": 1, "window_start": START, "features": {}}, "str"),
        ({"workload": "w", "window_start": "yesterday", "features": {}}, "RFC3339"),
        ({"workload": "w", "window_start": START}, "features"),
        (window(**{"network.connections": "12"}), "features"),
        (window(**{"network.connections": -1}), ">= 0"),
        (window(**{"network.connections": ["a"]}), "takes a number"),
        (window(**{"network.new_destination": 3}), "takes a list"),
        (window(**{"network.nonsense": 3}), "no feature"),
        (window(start="2026-09-13T12:03:00Z", **CALM), "multiple"),
        (window(start="1066-10-14T09:00:00Z", **CALM), "1970"),
    ],
)
def test_a_bad_window_does_not_harm_the_others(client: FlaskClient, bad: dict[str, Any], told: str) -> None:
    """The bad window has a problem with its place; the others have their scores; alone it is refused with 422."""
    answer = post(client, {"windows": [window("docker:shop/db", **CALM), bad, window("docker:shop/web", **CALM)]})
    assert answer.status_code == 200
    first, error, last = answer.json["scores"]
    assert (first["workload"], last["workload"]) == ("docker:shop/db", "docker:shop/web")
    assert error["error"]["status"] == 422
    assert told in json.dumps(error["error"])
    assert error["error"]["errors"][0]["pointer"].startswith("#/windows/1")

    alone = post(client, {"windows": [bad]})
    assert (alone.status_code, alone.content_type) == (422, PROBLEM)
    assert alone.json["errors"][0]["pointer"].startswith("#/windows/0")


def test_the_same_window_twice_is_told(client: FlaskClient) -> None:
    """A window given twice in a request is scored once and the second is refused."""
    first, second = post(client, {"windows": [window(**CALM), window(**STRANGE)]}).json["scores"]
    assert "bits" in first
    assert "earlier in the request" in second["error"]["detail"]


def test_raw_events_are_scored(client: FlaskClient) -> None:
    """An event of any source is attributed, windowed and scored; one no source knows has a problem of its own."""
    answer = post(client, {"events": [{"what": "ever"}, pull()]})
    assert answer.status_code == 200
    score, error = answer.json["scores"]
    assert score["workload"] == "host:n1"
    assert error["error"]["errors"][0]["pointer"] == "#/events/0"


def test_host_of_the_request_counts_for_events_without_one(client: FlaskClient) -> None:
    """`host` names the host of events that do not."""
    event = pull()
    del event["host"]
    (score,) = post(client, {"events": [event], "host": "n7"}).json["scores"]
    assert score["workload"] == "host:n7"


def test_windows_and_events_go_together(client: FlaskClient) -> None:
    """Windows come first, then what was found in events."""
    answer = post(client, {"events": [pull()], "windows": [window(**CALM)], "ignored": {"unknown": ["field"]}})
    assert [score["workload"] for score in answer.json["scores"]] == ["docker:shop/api", "host:n1"]


def test_nothing_to_score_is_nothing_scored(client: FlaskClient) -> None:
    """An empty request is answered with no scores."""
    assert post(client, {}).json["scores"] == []
    assert post(client, {"windows": [], "events": []}).status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"windows": NaN}',
        b'{"events": NaN}',
        b"\xff",
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"events": [1e999]}',
    ],
)
def test_malformed_json_is_400(client: FlaskClient, raw: bytes) -> None:
    """What is not JSON is refused as such, NaN and numbers too large among it."""
    answer = post(client, raw)
    assert (answer.status_code, answer.content_type) == (400, PROBLEM)


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"x"', b"null", b'{"windows": {}}', b'{"windows": [{"workload": 1}]}'])
def test_wrong_shape_is_422(client: FlaskClient, raw: bytes) -> None:
    """JSON of another shape is refused with a pointer to the place."""
    answer = post(client, raw)
    assert (answer.status_code, answer.content_type) == (422, PROBLEM)
    assert answer.json["errors"][0]["pointer"].startswith("#")


def test_media_types_and_encodings(client: FlaskClient) -> None:
    """JSON with any +json suffix and gzip is read; anything else is 415."""
    raw = json.dumps({"windows": [window(**CALM)]}).encode()
    assert post(client, gzip.compress(raw), **{"Content-Encoding": "gzip"}).status_code == 200
    assert post(client, raw, **{"Content-Type": "application/vnd.x+json; charset=utf-8"}).status_code == 200
    assert post(client, raw, **{"Content-Type": "text/plain"}).status_code == 415
    assert post(client, raw, **{"Content-Encoding": "br"}).status_code == 415
    assert client.post("/v1/scores").status_code == 415


def test_damaged_gzip_is_400(client: FlaskClient) -> None:
    """Compressed data that is damaged or cut short is refused."""
    packed = gzip.compress(json.dumps({"windows": [window(**CALM)]}).encode())
    for damaged in (packed[:-9], b"\x00" + packed[1:], packed + b"more"):
        assert post(client, damaged, **{"Content-Encoding": "gzip"}).status_code == 400


def test_without_a_model_scoring_is_503(empty: FlaskClient) -> None:
    """No model yet is told as such, with what to do."""
    answer = post(empty, {"windows": [window(**CALM)]})
    assert (answer.status_code, answer.content_type) == (503, PROBLEM)
    assert "wharfinger refresh" in answer.json["detail"]
