import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.fields import moment
from features.protocols import RecordError


@given(st.floats() | st.integers() | st.text() | st.floats().map(str))
def test_any_value_is_a_time_or_refused(value: object) -> None:
    """No number is so large, and no text so odd, that reading it as a time fails otherwise than by a refusal."""
    try:
        micros = moment(value, "ts")
    except RecordError:
        return
    assert 0 <= micros < 4_102_444_800_000_000


@pytest.mark.parametrize("value", [1e308, -1e308, "1e308", 10**400, float("nan"), float("inf")])
def test_time_beyond_arithmetic_is_refused(value: object) -> None:
    """A number whose microseconds overflow is refused like any that is out of range."""
    with pytest.raises(RecordError, match="ts"):
        moment(value, "ts")
