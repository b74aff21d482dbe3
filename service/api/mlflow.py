"""MLflow's scoring protocol: for tools that ask a model served by MLflow."""

from typing import Any

from flask import Response

from service.api.champion import champion
from service.api.decoding import decode, read_body
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.rows import names, score_rows
from service.api.schemas.mlflow import Frame, Invocation, Predictions
from service.outputs.notices import product_version

TEXT = "text/plain; charset=utf-8"
resource = Resource("mlflow")


@resource.operation("GET", "/ping", scope=None, answer=TEXT, problems=(503,))
def ping() -> Response:
    """Say that a model is loaded."""
    champion()
    return Response("\n", content_type=TEXT)


@resource.operation("GET", "/version", scope="score", answer=TEXT)
def get_version() -> Response:
    """Tell the version of the service, where MLflow tells its own."""
    return Response(product_version(), content_type=TEXT)


@resource.operation(
    "POST",
    "/invocations",
    scope="score",
    answer=Predictions,
    body=Invocation,
    largest=None,
    problems=(413, 415, 422, 503),
    examples={
        "body": {
            "dataframe_records": [
                {
                    "workload": "docker:shop/api",
                    "window_start": "2026-09-14T09:20:00Z",
                    "network.connections": 60,
                    "network.new_edge": ["203.0.113.66:4444"],
                }
            ]
        }
    },
)
def invoke() -> Predictions:
    """Score windows given as rows; nothing is stored.

    Give exactly one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`. Columns are `workload`,
    `window_start`, `image_repository` and the names of features.
    """
    return Predictions(predictions=score_rows(champion(), _rows(decode(read_body(), Invocation))))


def _rows(asked: Invocation) -> list[dict[str, Any]]:
    forms = {name: value for name in asked.__struct_fields__ if (value := getattr(asked, name)) is not None}
    if len(forms) != 1:
        known, told = ", ".join(asked.__struct_fields__), ", ".join(forms) or "none of them"
        raise refuse(422, f"Give exactly one of {known}; the request has {told}.")
    (form,) = forms.values()
    if isinstance(form, Frame):
        rows = [_named(form.columns, row, number) for number, row in enumerate(form.data)]
    elif isinstance(form, dict):
        if len({len(column) for column in form.values()}) > 1:
            raise refuse(422, "The columns of inputs are not of one length.")
        rows = [dict(zip(form, row, strict=True)) for row in zip(*form.values(), strict=True)]
    else:
        rows = form
    if unknown := sorted({name for row in rows for name in row} - set(names())):
        raise refuse(422, f"There is no feature {unknown[0]!r}; GET /v1/features lists those there are.")
    return rows


def _named(columns: list[str], row: list[Any], number: int) -> dict[str, Any]:
    if len(row) != len(columns):
        raise refuse(422, f"Row {number} has {len(row)} values for {len(columns)} columns.")
    if len(set(columns)) != len(columns):
        raise refuse(422, "A column is given twice.")
    return dict(zip(columns, row, strict=True))
