import gzip
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.decoding import decode, inflate
from service.api.problems import ProblemError
from service.api.schemas import LooseScoreRequest, ScoreRequest

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
