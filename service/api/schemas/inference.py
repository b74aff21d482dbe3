"""Types of the Open Inference Protocol, version 2, as its REST specification names their fields."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from service.api.schemas.problems import Problem

MOST_TENSORS = 1_000
Parameters = dict[str, str | bool | int | float]
Shape = Annotated[list[Annotated[int, Meta(ge=0, le=2**53)]], Meta(min_length=1, max_length=8)]


class InferenceError(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong."""

    error: str

    @classmethod
    def of(cls, problem: Problem, /) -> "InferenceError":
        """Tell a problem as this protocol tells errors."""
        faults = [f"{fault.pointer} {fault.detail}".strip() for fault in problem.errors]
        told = problem.detail or problem.title
        return cls(error="; ".join([told, *(fault for fault in faults if fault not in told)]))


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server is live; the specification has the same field for whether it is ready."""

    live: bool


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class ModelReady(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model is ready."""

    name: str
    ready: bool


class TensorMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor that a model takes or gives; -1 is a dimension of any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class RequestInput(msgspec.Struct, frozen=True, kw_only=True):
    """An input tensor, its data flat or nested; null where a window has no value."""

    name: str
    shape: Shape
    datatype: str
    data: list[Any]
    parameters: Parameters = {}


class RequestOutput(msgspec.Struct, frozen=True, kw_only=True):
    """An output tensor that is asked for."""

    name: str
    parameters: Parameters = {}


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Windows to score, a tensor for each of their parts."""

    inputs: Annotated[list[RequestInput], Meta(min_length=1, max_length=MOST_TENSORS)]
    outputs: Annotated[list[RequestOutput], Meta(max_length=MOST_TENSORS)] = []
    id: Annotated[str | None, Meta(description="Given back in the answer.")] = None
    parameters: Annotated[Parameters, Meta(description="Given back in the answer.")] = {}


class ResponseOutput(msgspec.Struct, frozen=True, kw_only=True):
    """An output tensor."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float | str]


class InferenceResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Scores, a tensor for each of their parts."""

    model_name: str
    model_version: str
    outputs: list[ResponseOutput]
    id: str | None = None
    parameters: Parameters = {}
