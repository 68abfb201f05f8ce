"""The exact binomial bound: how likely local devices with memory win so often."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr

from postprocessing.quantiles import exceedance

# The incomplete beta function is exact to 2e-11 of itself up to 1e9 trials, see the tests.
_MARGIN = 1e-10
# Far above the numbers that lose digits.
_LEAST = 1e-250
_LEAST_POSITIVE = float(np.nextafter(0.0, 1.0))


class PValue(NamedTuple):
    """A p-value, never smaller than the exact one.

    Parameters
    ----------
    value : float
        In (0, 1].
    log10 : float
        Its logarithm, of the exact one where the number is too small for double precision.
    """

    value: float
    log10: float

    @classmethod
    def of_log(cls, log: float) -> PValue:
        """Return the p-value of a natural logarithm that is rounded up already."""
        if log >= 0:
            return cls(1.0, 0.0)
        value = max(math.exp(log) * (1 + 1e-12), _LEAST_POSITIVE)
        return cls(min(value, 1.0), log / math.log(10) * (1 - 1e-15))


def binomial_p_value(trials: int, wins: int, win_probability: float) -> PValue:
    """Return P(Bin(trials, win_probability) ≥ wins), rounded up.

    Parameters
    ----------
    trials : int
        Trials fixed beforehand.
    wins : int
        In [0, trials].
    win_probability : float
        What local devices win a trial with at most, whatever has happened before.

    Examples
    --------
    >>> round(binomial_p_value(245, 196, 0.75).value, 4)
    0.0391
    """
    tail = exceedance(trials, win_probability, wins - 1)
    if tail > _LEAST or win_probability == 1:
        value = min(1.0, tail * (1 + _MARGIN))
        return PValue(value, min(0.0, math.log10(value) + 1e-15))
    return PValue.of_log(_log_tail_bound(trials, wins, win_probability))


def _log_tail_bound(trials: int, wins: int, win_probability: float) -> float:
    """Bound ln P(Bin ≥ wins) from above, far in the tail.

    The first term is at most e^(−n D) [n/(2π k (n − k))]^½ by Stirling's bounds; the terms that
    follow fall at least as fast as a geometric series of their first ratio.
    """
    n, k, p = float(trials), float(wins), win_probability
    if wins == trials:
        return n * math.log(p) * (1 - 1e-14)
    share = k / n
    divergence = float(rel_entr(share, p) + rel_entr(1 - share, 1 - p))
    # A few rounding errors of terms of the order of 1.
    exponent = n * (divergence - 1e-14 * (1 - math.log(1 - p)))
    ratio = (n - k) / (k + 1) * p / (1 - p)
    return -exponent + 0.5 * math.log(n / (2 * math.pi * k * (n - k))) - math.log1p(-ratio)
