"""Types of MLflow's scoring protocol, version 2.0."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from models.scores import Score
from service.api.schemas import MAX_ITEMS, Name

MOST_COLUMNS = 1_000
Row = dict[Name, Any]
Rows = Annotated[list[Row], Meta(max_length=MAX_ITEMS)]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A data frame in pandas' orientation `split`; its index is not looked at."""

    columns: Annotated[list[Name], Meta(max_length=MOST_COLUMNS)]
    data: Annotated[list[list[Any]], Meta(max_length=MAX_ITEMS)]


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """Windows to score, in exactly one of four forms."""

    dataframe_split: Frame | None = None
    dataframe_records: Annotated[Rows | None, Meta(description="A row to an object.")] = None
    instances: Annotated[Rows | None, Meta(description="A row to an object.")] = None
    inputs: Annotated[
        dict[Name, Annotated[list[Any], Meta(max_length=MAX_ITEMS)]] | None, Meta(description="A list to a column.")
    ] = None


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """A score for each row, in their order."""

    predictions: list[Score]
