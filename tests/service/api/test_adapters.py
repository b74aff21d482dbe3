"""The protocols of model servers, against what the service answers to the same windows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from features.protocols import specs

START = "2026-09-13T12:00:00Z"
STRANGE = {
    "network.connections": 60,
    "network.bytes_out": 4e6,
    "network.new_destination": {"203.0.113.66": 60},
    "network.new_edge": ["203.0.113.66:4444", "203.0.113.66:4445"],
}
CALM = {"network.connections": 6, "network.new_destination": ["192.0.2.10"]}
ROWS = [
    {"workload": "docker:shop/api", "window_start": START, **STRANGE},
    {"workload": "docker:other/new", "window_start": START, "image_repository": "registry.example/shop/db", **CALM},
]
PROBLEM = "application/problem+json"
INFER = "/v2/models/wharfinger/infer"


def plain(client: FlaskClient) -> list[dict[str, Any]]:
    """Score the rows as windows."""
    parts = ("workload", "window_start", "image_repository")
    windows = [
        {name: row[name] for name in parts if name in row}
        | {"features": {name: value for name, value in row.items() if name not in parts}}
        for row in ROWS
    ]
    return list(client.post("/v1/scores", json={"windows": windows}).json["scores"])


def tensor(name: str, data: list[Any], datatype: str = "BYTES", shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


def tensors() -> list[dict[str, Any]]:
    """Lay out the rows as tensors."""
    found = [
        tensor("workload", [row["workload"] for row in ROWS]),
        tensor("window_start", [[START], [START]], shape=[2, 1]),
        tensor("image_repository", ["", ROWS[1]["image_repository"]]),
        tensor("network.connections", [60, 6], "INT64"),
        tensor("network.bytes_out", [4e6, None], "FP64"),
    ]
    items = [[json.dumps(row[name]) if name in row else "" for row in ROWS] for name in list(STRANGE)[2:]]
    return found + [tensor(name, column) for name, column in zip(list(STRANGE)[2:], items, strict=True)]


def infer(client: FlaskClient, inputs: list[Any], **more: Any) -> TestResponse:
    return client.post(INFER, json={"inputs": inputs, **more})


def test_inference_gives_the_same_scores(client: FlaskClient) -> None:
    """Tensors of windows give, element by element, what the windows themselves are given."""
    answer, scores = infer(client, tensors(), id="42", parameters={"trace": True, "rate": 0.5}).json, plain(client)

    outputs = {one["name"]: one for one in answer["outputs"]}
    assert (answer["id"], answer["parameters"]) == ("42", {"trace": True, "rate": 0.5})
    assert (answer["model_name"], answer["model_version"]) == ("wharfinger", scores[0]["model"])
    for name in ("score", "bits", "p_value", "severity"):
        assert outputs[name]["data"] == [score[name] for score in scores]
    for name in ("evidence", "reasons", "baseline"):
        assert [json.loads(text) for text in outputs[name]["data"]] == [score[name] for score in scores]
    assert {name: (one["datatype"], one["shape"]) for name, one in outputs.items()} == {
        one["name"]: (one["datatype"], [2]) for one in client.get("/v2/models/wharfinger").json["outputs"]
    }


def test_only_the_outputs_asked_for_are_given(client: FlaskClient) -> None:
    """Outputs come as they are asked for; an answer to a request without an id has none."""
    answer = infer(client, tensors(), outputs=[{"name": "severity"}, {"name": "bits"}]).json

    assert [one["name"] for one in answer["outputs"]] == ["severity", "bits"]
    assert "id" not in answer
    assert "parameters" not in answer


def test_the_model_says_what_it_takes(client: FlaskClient) -> None:
    """The metadata name every feature with its datatype, and the version that may be asked for by name."""
    server, model = client.get("/v2").json, client.get("/v2/models/wharfinger").json
    version = client.get("/v1/models").json["champion"]

    kinds = {one["name"]: one["datatype"] for one in model["inputs"]}
    assert set(kinds) == {"workload", "window_start", "image_repository", *specs()}
    assert all(kinds[name] == ("BYTES" if spec.kind == "items" else "FP64") for name, spec in specs().items())
    assert {tuple(one["shape"]) for one in (*model["inputs"], *model["outputs"])} == {(-1,)}
    assert (model["name"], model["versions"]) == ("wharfinger", [version])
    assert set(server) == {"name", "version", "extensions"}
    below = f"/v2/models/wharfinger/versions/{version}"
    assert client.get(below).json == model
    assert client.post(f"{below}/infer", json={"inputs": tensors()}).json == infer(client, tensors()).json
    assert client.get(f"{below}/ready").json == {"name": "wharfinger", "ready": True}


def test_readiness_is_that_of_the_service(client: FlaskClient, empty: FlaskClient) -> None:
    """Without a model the server is live and not ready, in the form that each protocol has."""
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/wharfinger/ready", "/ping"):
        assert client.get(path).status_code == 200
    assert empty.get("/v2/health/live").json == {"live": True}
    for path in ("/v2/health/ready", "/v2/models/wharfinger/ready"):
        refused = empty.get(path)
        assert (refused.status_code, list(refused.json)) == (503, ["error"])
        assert "no model yet" in refused.json["error"]
    assert (empty.get("/ping").status_code, empty.get("/ping").content_type) == (503, PROBLEM)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([], "length >= 1"),
        ([tensor("workload", ["a"])], "window_start"),
        ([tensor("workload", [1])], "no BYTES"),
        ([tensor("workload", ["a"]), tensor("workload", ["b"])], "given twice"),
        ([tensor("workload", ["a"]), tensor("window_start", [])], "workload has 1, window_start has 0"),
        ([tensor("workload", ["a"], shape=[2])], "has 1 elements, not [2]"),
        ([tensor("workload", ["a"], "FP64")], "takes BYTES"),
        ([tensor("network.connections", [True], "FP64")], "no FP64"),
        ([tensor("network.connections", ["1"], "BYTES")], "takes BF16"),
        ([tensor("network.nonsense", [1], "FP64")], "no input 'network.nonsense'"),
        ([tensor("network.new_edge", ["{"])], "row 0"),
        ([tensor("network.new_edge", ['{"a": 0}'])], "row 0"),
        ([*tensors()[:2], tensor("network.connections", [1, -1], "FP64")], "row 1"),
        ([tensor("workload", ["a", "a"]), tensor("window_start", [START, START])], "row 1: the same window"),
    ],
)
def test_bad_tensors_are_refused(client: FlaskClient, inputs: list[Any], told: str) -> None:
    """What cannot be scored is refused as a whole, in the protocol's form, saying which input or row."""
    answer = infer(client, inputs)

    assert (answer.status_code, answer.content_type, list(answer.json)) == (422, "application/json", ["error"])
    assert told in answer.json["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/wharfinger/versions/1", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", "/v2/nothing", 404),
        ("DELETE", "/v2/models/wharfinger", 405),
        ("POST", INFER, 415),
    ],
)
def test_errors_below_v2_are_those_of_the_protocol(client: FlaskClient, method: str, path: str, status: int) -> None:
    """Whatever goes wrong below /v2, also before an endpoint is found, is an object with `error`."""
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.content_type, list(answer.json)) == (status, "application/json", ["error"])


def frames() -> list[dict[str, Any]]:
    """Give the rows in each form of MLflow, with items as they are and as text."""
    names = list({name for row in ROWS for name in row})
    columns = {name: [row.get(name) for row in ROWS] for name in names}
    text = [{name: json.dumps(v) if isinstance(v, (list, dict)) else v for name, v in row.items()} for row in ROWS]
    table = [list(row) for row in zip(*columns.values(), strict=True)]
    return [
        {"dataframe_records": ROWS},
        {"dataframe_records": text},
        {"instances": ROWS},
        {"inputs": columns},
        {
            "dataframe_split": {
                "index": [0, 1],
                "columns": names,
                "data": table,
            }
        },
    ]


@pytest.mark.parametrize("number", range(5))
def test_invocations_give_the_same_scores(client: FlaskClient, number: int) -> None:
    """Each form of MLflow gives the scores of the same windows, in their order."""
    answer = client.post("/invocations", json={**frames()[number], "params": {}})

    assert answer.json == {"predictions": plain(client)}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "none of them"),
        ({"instances": ROWS, "inputs": {}}, "instances, inputs"),
        ({"dataframe_split": {"columns": ["workload"], "data": [["a", "b"]]}}, "Row 0 has 2 values for 1 columns"),
        ({"dataframe_split": {"columns": ["workload", "workload"], "data": [["a", "b"]]}}, "given twice"),
        ({"inputs": {"workload": ["a"], "window_start": []}}, "not of one length"),
        ({"instances": [{"network.nonsense": 1}]}, "no feature 'network.nonsense'"),
        ({"instances": [ROWS[0], {"workload": "w"}]}, "row 1"),
        ({"instances": [{**ROWS[0], "window_start": 5}]}, "row 0"),
    ],
)
def test_bad_frames_are_refused(client: FlaskClient, body: dict[str, Any], told: str) -> None:
    """A frame in no form, or with a row that cannot be scored, is refused with a problem."""
    answer = client.post("/invocations", json=body)

    assert (answer.status_code, answer.content_type) == (422, PROBLEM)
    assert told in json.dumps(answer.json)


def test_empty_frames_have_no_predictions(client: FlaskClient) -> None:
    """Nothing to score is nothing scored."""
    assert client.post("/invocations", json={"instances": []}).json == {"predictions": []}


def test_the_version_is_told(client: FlaskClient) -> None:
    """The version is plain text, as MLflow's is."""
    assert client.get("/version").text == client.get("/v2").json["version"]


def test_the_examples_of_the_page_are_answered(client: FlaskClient) -> None:
    """Each request that docs/adapters.md shows is answered with a score of high severity."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "adapters.md").read_text()
    examples = re.findall(r"^curl -s localhost:8080(\S+) .*? -d '(.*?)'$", page, re.MULTILINE | re.DOTALL)

    assert [path for path, _ in examples] == [INFER, "/invocations"]
    for path, body in examples:
        answer = client.post(path, data=body, content_type="application/json")
        assert answer.status_code == 200
        assert re.search(r'"(high|critical)"', answer.text)
