"""Quantiles of binomial counts, exact for blocks of any size, and bounds on sums of scores.

`scipy.stats.binom.isf` would not do. It goes by way of 1 − share, which is 1 for shares below 2⁻⁵³,
and is then wrong: it returns the number of trials. Epsilons are far smaller.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import betainc

Table = npt.NDArray[np.float64]

# Counts less likely than this make no difference, and intervals of a count to be looked at.
_NEGLIGIBLE, _INTERVALS = 1e-15, 1025
# e^(t score) stays far below overflow.
_MOST_EXPONENT = 500.0


def exceedance(trials: int, probability: float, count: int) -> float:
    """Return P(Bin(trials, probability) > count), as an incomplete beta function."""
    if count >= trials:
        return 0.0
    if count < 0:
        return 1.0
    return float(betainc(count + 1.0, float(trials - count), probability))


def upper_quantile(trials: int, probability: float, share: float) -> int:
    """Return the smallest count k with P(Bin(trials, probability) > k) ≤ share.

    Parameters
    ----------
    trials : int
        Number of trials, in [0, 2⁵³].
    probability : float
        Probability of each, in [0, 1].
    share : float
        Probability in (0, 1) of exceeding k.

    Returns
    -------
    int
        k in [0, trials].
    """
    excluded, accepted = -1, int(trials)
    while accepted - excluded > 1:
        middle = (excluded + accepted) // 2
        if exceedance(trials, probability, middle) <= share:
            accepted = middle
        else:
            excluded = middle
    return accepted


def lower_quantile(trials: int, probability: float, share: float) -> int:
    """Return the largest count k with P(Bin(trials, probability) < k) ≤ share.

    Parameters are those of `upper_quantile`; k is in [0, trials].
    """
    return trials - upper_quantile(trials, 1 - probability, share)


def least_sum(rounds: int, scores: Table, chances: Table, share: float) -> float:
    """Return what a sum of scores over independent rounds is below with at most `share` (Chernoff).

    F = sup_t −[n ln E e^{−tf} + ln(1/share)]/t over t > 0.

    Parameters
    ----------
    rounds : int
        n.
    scores, chances : ndarray of float64
        Scores f that a round may have, and how often; it has 0 else.
    share : float
        Probability in (0, 1).

    Returns
    -------
    float
        F in the unit of the scores.
    """
    variance = rounds * float(chances @ scores**2)
    if not variance > 0:
        return rounds * float(chances @ scores)
    cost = -math.log(share)
    # Where the sum is normal, the best t.
    start = math.log(math.sqrt(2 * cost / variance))
    limit = math.log(_MOST_EXPONENT / float(np.abs(scores).max()))

    def shortfall(log_t: float) -> float:
        t = math.exp(log_t)
        moment = float(chances @ np.expm1(-t * scores))
        return (rounds * math.log1p(moment) + cost) / t

    bounds = (min(start, limit) - 5, min(start + 3, limit))
    found = minimize_scalar(shortfall, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return -float(found.fun)


def miss_probability(rounds: int, scores: Table, chances: Table, least: float) -> float:
    """Bound the probability that such a sum is below a score (Chernoff).

    inf_t e^{t least} (E e^{−tf})^n over t > 0; parameters are those of `least_sum`.
    """
    limit = math.log(_MOST_EXPONENT / float(np.abs(scores).max()))

    def exponent(log_t: float) -> float:
        t = math.exp(log_t)
        return t * least + rounds * math.log1p(float(chances @ np.expm1(-t * scores)))

    found = minimize_scalar(exponent, bounds=(limit - 30, limit), method="bounded")
    return math.exp(min(0.0, float(found.fun)))


def weighted_exceedance(
    trials: int, chances: tuple[float, float], weights: tuple[float, float], most: float
) -> float:
    """Bound P(a₁N₁ + a₂N₂ > most) of two kinds of events that exclude each other in a trial.

    The second number is taken in intervals, and each tail at its worst within the interval, so that
    the bound is a little above the probability.

    Parameters
    ----------
    trials : int
        Number of trials.
    chances : (float, float)
        Probabilities of both kinds in a trial, sum below 1.
    weights : (float, float)
        a₁ and a₂, positive.
    most : float
        What the weighted sum may be.

    Returns
    -------
    float
        In [0, 1].
    """
    (first, second), (light, heavy) = chances, weights
    low = lower_quantile(trials, second, _NEGLIGIBLE)
    high = upper_quantile(trials, second, _NEGLIGIBLE)
    starts = np.unique(np.linspace(low, high + 1, _INTERVALS).round())
    below = 1 - _exceedances(np.float64(trials), second, starts - 1)
    masses = np.diff(below)
    left = np.floor((most - heavy * (starts[1:] - 1)) / light)
    # Given N₂, of the trials that are left each has the first kind with first/(1 − second).
    tails = _exceedances(trials - starts[:-1], first / (1 - second), left)
    return min(1.0, float(masses @ tails) + 2 * _NEGLIGIBLE)


def weighted_quantile(
    trials: int, chances: tuple[float, float], weights: tuple[float, float], share: float
) -> float:
    """Return a sum that a₁N₁ + a₂N₂ exceeds with at most `share`, to a hundredth of its spread.

    Parameters are those of `weighted_exceedance`.
    """
    events, sizes = np.array(chances), np.array(weights)
    mean = float(events @ sizes)
    variance = float(events @ sizes**2) - mean**2
    spread = math.sqrt(trials * variance) + float(sizes.max())
    low, high = trials * mean - spread, trials * mean + 2 * spread
    while weighted_exceedance(trials, chances, weights, high) > share:
        low, high = high, high + 4 * spread
    while high - low > 1e-4 * spread:
        middle = (low + high) / 2
        if weighted_exceedance(trials, chances, weights, middle) > share:
            low = middle
        else:
            high = middle
    return high


def _exceedances(trials: Any, probability: float, counts: Table) -> Table:
    """Return P(Bin(trials, probability) > count) of many."""
    inside = (counts >= 0) & (counts < trials)
    safe = np.clip(counts, 0, np.maximum(trials - 1, 0))
    tails = betainc(safe + 1, np.maximum(trials - safe, 1), probability)
    return np.where(inside, tails, np.where(counts < 0, 1.0, 0.0))
