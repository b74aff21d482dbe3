"""Evidence is believed as far as held-out windows bear it out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ArtefactError
from models.trust import CLAIMS, Trust


def test_honest_evidence_is_believed() -> None:
    """Bits that come as rarely as they claim lose next to nothing."""
    honest = np.random.default_rng(1).exponential(1 / np.log(2), (50_000, 1))

    believed = Trust.measure(honest).apply(np.array([[4.0], [8.0], [12.0]]))[:, 0]

    assert believed == pytest.approx([4, 8, 12], abs=1.0)


def test_evidence_that_claims_too_much_is_lowered_to_what_was_seen() -> None:
    """Thirty bits in one window of a hundred are worth the bits of one in a hundred."""
    loud = np.zeros((10_000, 1))
    loud[::100] = 30.0

    believed = float(Trust.measure(loud).apply(np.array([[30.0]]))[0, 0])

    assert believed == pytest.approx(np.log2(100), abs=0.1)


def test_one_feature_does_not_pay_for_another() -> None:
    """A feature nobody saw above zero keeps its claim beside one that cries every day."""
    bits = np.zeros((10_000, 2))
    bits[::10, 0] = 20.0

    noisy, silent = Trust.measure(bits).apply(np.array([[20.0, 20.0]]))[0]

    assert noisy < 4
    assert silent == 20


@given(st.integers(0, 1000), st.lists(st.floats(0, 1e6), min_size=2, max_size=30))
def test_belief_rises_and_never_exceeds_the_claim(seed: int, asked: list[float]) -> None:
    """Whatever was measured, more evidence is never believed less, and never more than it claims."""
    trust = Trust.measure(np.random.default_rng(seed).pareto(1.0, (200, 1)) * 5)
    claimed = np.sort(asked)

    believed = trust.column(0, claimed)

    assert (np.diff(believed) >= -1e-9 * (1 + believed[1:])).all()
    assert (believed <= claimed * (1 + 1e-9)).all()


@pytest.mark.parametrize("spoilt", [np.nan, -1.0, 1e9])
def test_a_spoilt_curve_is_refused(spoilt: float) -> None:
    """A stored curve that is not finite, falls or exceeds its claims is no curve."""
    stored = np.tile(CLAIMS, (2, 1))
    stored[1, 3] = spoilt

    with pytest.raises(ArtefactError, match="train again"):
        Trust.from_array(stored, 2)
