"""Windows and scores as tensors of the Open Inference Protocol."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import msgspec

from features.protocols import specs
from models.scores import Score
from service.api.problems import refuse
from service.api.rows import OPTIONAL, REQUIRED, names
from service.api.schemas.inference import RequestInput, ResponseOutput, TensorMetadata

TEXT, REAL = "BYTES", "FP64"
_NUMERIC = {"FP16", "FP32", "FP64", "BF16", *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))}
_DEEPEST = 8


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


OUTPUTS: dict[str, tuple[str, Callable[[Score], float | str]]] = {
    "score": (REAL, lambda score: score.score),
    "bits": (REAL, lambda score: score.bits),
    "p_value": (REAL, lambda score: score.p_value),
    "severity": (TEXT, lambda score: score.severity),
    "evidence": (TEXT, lambda score: _json(score.evidence)),
    "reasons": (TEXT, lambda score: _json(score.reasons)),
    "baseline": (TEXT, lambda score: _json(score.baseline)),
}


def inputs() -> list[TensorMetadata]:
    """Describe what the model takes."""
    kinds = dict.fromkeys((*REQUIRED, *OPTIONAL), TEXT)
    kinds |= {name: TEXT if spec.kind == "items" else REAL for name, spec in specs().items()}
    return [TensorMetadata(name=name, datatype=kind, shape=[-1]) for name, kind in kinds.items()]


def outputs() -> list[TensorMetadata]:
    """Describe what the model gives."""
    return [TensorMetadata(name=name, datatype=kind, shape=[-1]) for name, (kind, _) in OUTPUTS.items()]


def output_of(name: str, scores: list[Score]) -> ResponseOutput:
    """Lay out one part of scores as a tensor."""
    kind, part = OUTPUTS[name]
    return ResponseOutput(name=name, shape=[len(scores)], datatype=kind, data=[part(score) for score in scores])


def rows_of(tensors: list[RequestInput]) -> list[dict[str, Any]]:
    """Read tensors, of one element for each window, as rows.

    Raises
    ------
    ProblemError
        422 if a tensor is unknown, of another datatype, not of its own shape, or not as long as the others.
    """
    columns: dict[str, list[Any]] = {}
    for tensor in tensors:
        if tensor.name in columns:
            raise refuse(422, f"The input {tensor.name!r} is given twice.")
        columns[tensor.name] = _elements(tensor)
    if len({len(column) for column in columns.values()}) > 1:
        told = ", ".join(f"{name} has {len(column)}" for name, column in columns.items())
        raise refuse(422, f"Each input has one element for each window, but {told}.")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _elements(tensor: RequestInput) -> list[Any]:
    spec = specs().get(tensor.name)
    if tensor.name not in names():
        raise refuse(422, f"There is no input {tensor.name!r}; the model's metadata lists those there are.")
    fitting = _NUMERIC if spec is not None and spec.kind != "items" else {TEXT}
    if tensor.datatype not in fitting:
        raise refuse(422, f"The input {tensor.name!r} takes {', '.join(sorted(fitting))}, not {tensor.datatype}.")
    found = list(_flat(tensor.data))
    if len(found) != prod(tensor.shape):
        raise refuse(422, f"The input {tensor.name!r} has {len(found)} elements, not {tensor.shape}.")
    wanted = str if fitting == {TEXT} else (int, float)
    if not all(one is None or (isinstance(one, wanted) and not isinstance(one, bool)) for one in found):
        raise refuse(422, f"The input {tensor.name!r} has an element that is no {tensor.datatype}.")
    return found


def _flat(data: list[Any], depth: int = 1) -> Iterator[Any]:
    if depth > _DEEPEST:
        raise refuse(422, f"Tensors have at most {_DEEPEST} dimensions.")
    for one in data:
        if isinstance(one, list):
            yield from _flat(one, depth + 1)
        else:
            yield one
