"""Quantiles of binomial counts, exact for blocks of any size.

`scipy.stats.binom.isf` would not do. It goes by way of 1 − share, which is 1 for shares below 2⁻⁵³,
and is then wrong: it returns the number of trials. Epsilons are far smaller.
"""

from __future__ import annotations

from scipy.special import betainc


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
