import base64
import gzip
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from service.api.decoding import decode, inflate, read_query
from service.api.documentation import RESOURCES
from service.api.problems import ProblemError
from service.api.schemas import LooseScoreRequest, ScoreQuery, ScoreRequest
from service.coverage import Place
from service.cursors import CursorError, Position, issue, redeem

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def refusal(raw: bytes) -> int | None:
    """Status that a body is refused with, or None."""
    try:
        decode(raw, ScoreRequest)
    except ProblemError as error:
        return error.problem.status
    return None


@given(raw=st.binary(max_size=80))
def test_any_bytes_are_a_request_or_a_problem(raw: bytes) -> None:
    """Whatever bytes arrive, decoding gives a request or a 400 or 422, never another error."""
    assert refusal(raw) in (None, 400, 422)


@given(windows=st.lists(json_values, max_size=3), extra=json_values)
def test_any_json_points_at_its_fault(windows: list[Any], extra: Any) -> None:
    """A wrong value is told with a JSON pointer that resolves within the body."""
    body = {"windows": [*windows, 1], "extra": extra}
    with pytest.raises(ProblemError) as caught:
        decode(msgspec.json.encode(body), ScoreRequest)
    assert caught.value.problem.status == 422
    (fault,) = caught.value.problem.errors
    at: Any = body
    for step in fault.pointer.removeprefix("#").split("/")[1:]:
        at = at[int(step)] if isinstance(at, list) else at[step]


QUERIES = sorted(
    {one.query for resource in RESOURCES for one in resource.operations if one.query}, key=lambda kind: kind.__name__
)
VALUES = st.text(max_size=8) | st.sampled_from(
    ["", "null", "1", "-1", "9" * 40, "2026-09-14T09:20:00Z", "high", "T1571"]
)


def question(kind: type[msgspec.Struct], asked: list[tuple[str, str]]) -> msgspec.Struct | ProblemError:
    """What a query string is read as, or how it is refused."""
    with Flask(__name__).test_request_context(query_string=urlencode(asked)):
        try:
            return read_query(kind)
        except ProblemError as error:
            return error


@pytest.mark.parametrize("kind", QUERIES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_any_query_is_read_or_refused(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """Whatever parameters arrive, they become what the operation asks for, or a 422 that says which is wrong."""
    names = st.sampled_from([field.encode_name for field in msgspec.structs.fields(kind)]) | st.text(max_size=5)
    asked = data.draw(st.lists(st.tuples(names, VALUES), max_size=4))

    found = question(kind, asked)

    if isinstance(found, ProblemError):
        assert (found.problem.status, "parameter" in found.problem.detail) == (422, True)
    else:
        assert isinstance(found, kind)
        assert len({name for name, _ in asked}) == len(asked)


@pytest.mark.parametrize("number", ["9", "-1", "1e9", "1789300000.5"])
def test_a_number_is_no_time(number: str) -> None:
    """Seconds since 1970 are refused as a parameter, as they are in a body, and not taken for a time."""
    found = question(ScoreQuery, [("since", number)])

    assert isinstance(found, ProblemError)
    assert found.problem.detail == f"The parameter 'since' is wrong: {number!r} is no RFC 3339 time."


@given(cursor=st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_no_cursor_of_any_kind(cursor: str) -> None:
    """Text that was not issued is refused for every kind of position, and never an error of another kind."""
    for kind in (Position, Place):
        with pytest.raises(CursorError):
            redeem(cursor, "question", kind)


@given(workload=st.text(max_size=20), source=st.text(max_size=5), host=st.text(max_size=5))
def test_a_cursor_comes_back(workload: str, source: str, host: str) -> None:
    """A position is read back as it was issued, for the same question alone."""
    cursor = issue(Place(workload, source, host), ("question", 1))

    assert redeem(cursor, ("question", 1), Place) == Place(workload, source, host)
    with pytest.raises(CursorError):
        redeem(cursor, ("question", 2), Place)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "01", "0x1"])
def test_numbers_that_json_does_not_have_are_refused(number: str) -> None:
    """Only JSON's own numbers are read."""
    with pytest.raises(ProblemError) as caught:
        decode(f'{{"events": [{{"a": {number}}}]}}'.encode(), ScoreRequest)
    assert caught.value.problem.status == 400


def test_items_are_counted_before_they_are_read() -> None:
    """A request with more items than allowed is refused in both readings."""
    raw = b'{"windows": [' + b"1," * 10_000 + b"1]}"
    for kind in (ScoreRequest, LooseScoreRequest):
        with pytest.raises(ProblemError) as caught:
            decode(raw, kind)
        assert caught.value.problem.status == 422


@given(data=st.binary(max_size=300), cut=st.integers(0, 300), limit=st.integers(0, 400))
def test_inflating_is_exact_or_refused(data: bytes, cut: int, limit: int) -> None:
    """Members are joined; what is over the limit is 413; what is cut short is 400."""
    packed = gzip.compress(data[:100]) + gzip.compress(data[100:])
    if len(data) <= limit:
        assert inflate(packed, limit) == data
    else:
        with pytest.raises(ProblemError) as caught:
            inflate(packed, limit)
        assert caught.value.problem.status == 413
    if 0 < cut < len(packed) and cut != len(gzip.compress(data[:100])):
        with pytest.raises(ProblemError) as caught:
            inflate(packed[:cut], 10_000)
        assert caught.value.problem.status == 400
