"""The deterministic local strategies, and the mixtures of them that come closest to data."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from postprocessing.bell.game import PAIRS, SettingLaw

Table = npt.NDArray[np.float64]

_STEPS = 60
# Relative to the best mixture; what is missing costs nothing but a little power.
_CLOSE = 1e-9
# A step that leaves every weight positive.
_WHOLE_STEP = 0.999


def _deterministic() -> Table:
    """Return P(ab|xy) of the 16 local strategies, shape (16, x, y, a, b)."""
    found = np.zeros((16, 2, 2, 2, 2))
    for k, (alice, bob) in enumerate(_CHOICES):
        for x, y in PAIRS:
            found[k, x, y, alice[x], bob[y]] = 1
    return found


def _boxes() -> Table:
    """Return P(ab|xy) of the 8 no-signalling boxes that win a CHSH game always."""
    found = np.zeros((8, 2, 2, 2, 2))
    for k, (of_x, of_y, always) in enumerate(itertools.product((0, 1), repeat=3)):
        for x, y in PAIRS:
            parity = (x & y) ^ (of_x & x) ^ (of_y & y) ^ always
            found[k, x, y, (0, 1), (parity, 1 - parity)] = 0.5
    return found


# Outcomes of each side by its setting.
_BITS = tuple(itertools.product((0, 1), repeat=2))
_CHOICES = tuple(itertools.product(_BITS, _BITS))
LOCAL = _deterministic()
# All of which the no-signalling behaviours are mixtures (Barrett et al., PRA 71, 022101 (2005)).
NO_SIGNALLING = np.concatenate([LOCAL, _boxes()])


def nearest_mixture(frequencies: Table, strategies: Table, pairs: Table) -> Table:
    """Return the mixture of strategies that data are likeliest under.

    It minimises −Σ f ln q over q = Σ w_k p(x, y) P_k(ab|xy), w ≥ 0, by Newton steps: to second
    order in z = q'/q the function is Σ f (z − 2)²/2, and non-negative least squares find its
    least value with Σ w as the multiplier of Σ w = 1.

    Parameters
    ----------
    frequencies : ndarray
        f(x, y, a, b), positive, of sum 1.
    strategies : ndarray
        P_k(ab|xy), shape (k, x, y, a, b).
    pairs : ndarray
        p(x, y).

    Returns
    -------
    ndarray
        q(x, y, a, b), positive.
    """
    share = frequencies.ravel()
    columns = (strategies * pairs[:, :, np.newaxis, np.newaxis]).reshape(len(strategies), -1).T
    weights = np.full(len(strategies), 1 / len(strategies))
    for _ in range(_STEPS):
        mixture = columns @ weights
        if (columns.T @ (share / mixture)).max() < 1 + _CLOSE:
            break
        root = np.sqrt(share)
        try:
            aim, _ = nnls(
                root[:, np.newaxis] * columns / mixture[:, np.newaxis],
                root * (2 - mixture / share),
            )
        except RuntimeError:
            break
        step, length = aim / aim.sum() - weights, _WHOLE_STEP
        least = share @ np.log(mixture)
        while length > _CLOSE and share @ np.log(columns @ (weights + length * step)) <= least:
            length /= 2
        if length <= _CLOSE:
            break
        weights = weights + length * step
    mixed: Table = (columns @ weights).reshape(frequencies.shape)
    return mixed


def greatest_expectation(factors: Table, law: SettingLaw) -> Fraction:
    """Return what a local strategy can make of factors at most, exactly.

    Mixtures of strategies, and setting laws between the corners, are below the greatest of them.

    Parameters
    ----------
    factors : ndarray
        R(x, y, a, b) ≥ 0.
    law : SettingLaw
        How settings are drawn; within its predictability the devices choose.
    """
    exact = {place: Fraction(float(value)) for place, value in np.ndenumerate(factors)}
    return max(
        sum((pairs[x][y] * exact[x, y, alice[x], bob[y]] for x, y in PAIRS), Fraction(0))
        for pairs in law.corners
        for alice, bob in _CHOICES
    )
