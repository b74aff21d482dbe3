"""The Open Inference Protocol, version 2: for clients that speak it to any model server."""

from models.detector import Detector
from service.api import health
from service.api.champion import champion
from service.api.decoding import decode, read_body
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.rows import score_rows
from service.api.schemas.inference import (
    InferenceError,
    InferenceRequest,
    InferenceResponse,
    Live,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
)
from service.api.tensors import OUTPUTS, inputs, output_of, outputs, rows_of
from service.outputs.notices import product_version

NAME = "wharfinger"
PLATFORM = "wharfinger_isolation_forest"
_NAMED = {"model": NAME, "version": "2026-09-14T02:00:00Z-3f9c"}
_ASKED = {
    "id": "42",
    "inputs": [
        {"name": "workload", "shape": [1], "datatype": "BYTES", "data": ["docker:shop/api"]},
        {"name": "window_start", "shape": [1], "datatype": "BYTES", "data": ["2026-09-14T09:20:00Z"]},
        {"name": "network.connections", "shape": [1], "datatype": "FP64", "data": [60]},
    ],
    "outputs": [{"name": "bits"}, {"name": "severity"}],
}

resource = Resource("inference", error=InferenceError, below="/v2")


@resource.operation("GET", "/v2", scope="score", answer=ServerMetadata)
def get_server_metadata() -> ServerMetadata:
    """Tell what the server is."""
    return ServerMetadata(name=NAME, version=product_version(), extensions=[])


@resource.operation("GET", "/v2/health/live", scope=None, answer=Live)
def get_server_liveness() -> Live:
    """Say that the server answers."""
    return Live(live=True)


@resource.operation("GET", "/v2/health/ready", scope=None, answer=Live, problems=(503,))
def get_server_readiness() -> Live:
    """Say whether the server can do its work; otherwise 503, as `/readyz`."""
    health.get_readiness()
    return Live(live=True)


@resource.operation(
    "GET", "/v2/models/<model>/ready", scope="score", answer=ModelReady, problems=(503,), examples=_NAMED
)
def get_model_readiness(model: str) -> ModelReady:
    """Say whether the model can answer."""
    _find(model)
    return ModelReady(name=model, ready=True)


@resource.operation(
    "GET",
    "/v2/models/<model>/versions/<version>/ready",
    scope="score",
    answer=ModelReady,
    problems=(503,),
    examples=_NAMED,
)
def get_version_readiness(model: str, version: str) -> ModelReady:
    """Say whether a version of the model can answer: the champion can."""
    _find(model, version)
    return ModelReady(name=model, ready=True)


@resource.operation("GET", "/v2/models/<model>", scope="score", answer=ModelMetadata, problems=(503,), examples=_NAMED)
def get_model_metadata(model: str) -> ModelMetadata:
    """Tell which tensors the model takes and gives."""
    return _metadata(_find(model))


@resource.operation(
    "GET",
    "/v2/models/<model>/versions/<version>",
    scope="score",
    answer=ModelMetadata,
    problems=(503,),
    examples=_NAMED,
)
def get_version_metadata(model: str, version: str) -> ModelMetadata:
    """Tell which tensors a version of the model takes and gives."""
    return _metadata(_find(model, version))


@resource.operation(
    "POST",
    "/v2/models/<model>/infer",
    scope="score",
    answer=InferenceResponse,
    body=InferenceRequest,
    largest=None,
    problems=(413, 415, 422, 503),
    examples=_NAMED | {"body": _ASKED},
)
def infer(model: str) -> InferenceResponse:
    """Score windows given as tensors, one element to a window; nothing is stored."""
    return _infer(_find(model))


@resource.operation(
    "POST",
    "/v2/models/<model>/versions/<version>/infer",
    scope="score",
    answer=InferenceResponse,
    body=InferenceRequest,
    largest=None,
    problems=(413, 415, 422, 503),
    examples=_NAMED | {"body": _ASKED},
)
def infer_with_version(model: str, version: str) -> InferenceResponse:
    """Score windows with a version of the model, which must be the champion."""
    return _infer(_find(model, version))


def _find(model: str, version: str | None = None) -> Detector:
    if model != NAME:
        raise refuse(404, f"There is no model {model!r}; there is {NAME}.")
    detector = champion()
    if version not in (None, detector.version):
        raise refuse(404, f"The version {version!r} does not answer; {detector.version} does.")
    return detector


def _metadata(detector: Detector) -> ModelMetadata:
    return ModelMetadata(
        name=NAME,
        versions=[detector.version],
        platform=PLATFORM,
        inputs=inputs(),
        outputs=outputs(),
    )


def _infer(detector: Detector) -> InferenceResponse:
    asked = decode(read_body(), InferenceRequest)
    wanted = [one.name for one in asked.outputs] or list(OUTPUTS)
    for name in wanted:
        if name not in OUTPUTS:
            raise refuse(422, f"There is no output {name!r}; there are {', '.join(OUTPUTS)}.")
    scores = score_rows(detector, rows_of(asked.inputs))
    return InferenceResponse(
        model_name=NAME,
        model_version=detector.version,
        id=asked.id,
        parameters=asked.parameters,
        outputs=[output_of(name, scores) for name in wanted],
    )
