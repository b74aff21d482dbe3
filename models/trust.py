"""How far each feature's evidence may be believed, measured on windows its baseline had not seen."""

import numpy as np
from numpy.typing import NDArray

CLAIMS = (4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0)
LEAST = 0.2


def measure_trust(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compare what evidence claims with what happens.

    Evidence of b bits claims that one window in 2**b shows as much. Where windows that nobody calls strange show it
    more often, the feature's bits are scaled down until the claim holds at every level of `CLAIMS`: trust is the
    smallest ratio of observed to claimed bits.

    Parameters
    ----------
    bits
        Evidence of held-out windows, shape (n, features).

    Returns
    -------
    Factors in [`LEAST`, 1], shape (features,).
    """
    windows = len(bits)
    claims = np.array(CLAIMS)
    exceeding = (bits[:, :, None] >= claims).sum(axis=0)
    observed = -np.log2((exceeding + 0.5) / (windows + 1))
    # A level that only a window or two reached says nothing against the claim.
    ratio = np.where(exceeding > 2, observed / claims, 1.0)  # noqa: PLR2004
    trust: NDArray[np.float64] = np.clip(ratio.min(axis=1, initial=1.0), LEAST, 1.0)
    return trust
