"""The prediction-based ratio: factors that bet on what earlier trials looked like.

Zhang, Glancy and Knill, PRA 84, 062118 (2011). A factor R(x, y, a, b) ≥ 0, fixed before a trial,
has an expectation of at most 1 under any local strategy; so has the product over all trials,
whatever devices remember, and by Markov's inequality it reaches 1/p with probability p at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from postprocessing.bell.binomial import PValue
from postprocessing.bell.game import SettingLaw
from postprocessing.bell.strategies import (
    LOCAL,
    NO_SIGNALLING,
    Table,
    greatest_expectation,
    nearest_mixture,
)
from postprocessing.bell.trials import CELLS, Counts

Signs = npt.NDArray[np.int8]

# Outcomes ab as signs.
_PRODUCTS = np.array([[1, -1], [-1, 1]])
# One trial of white noise beside those seen, so that nothing is thought impossible.
_NOISE_TRIALS = 1.0
_EPSILON = float(np.finfo(float).eps)


def trained_factors(seen: Counts, signs: Signs, law: SettingLaw) -> Table:
    """Return the factors of the trials to come, from those that were.

    Two behaviours are held against local ones: that of a game won as often as was seen, and the
    no-signalling behaviour that is likeliest. Either has a ratio p/q to the local mixture q next to
    it. What was seen favours the ratio by about k/2N, k its free parameters and N the trials, and
    those to come are worse than the truth by as much (Akaike): the one that promises more is
    taken, or 1 where neither promises anything.

    Parameters
    ----------
    seen : ndarray of int64
        Counts n[x, y, a, b] of earlier trials.
    signs : ndarray of int8
        The game, s[x, y].
    law : SettingLaw
        How settings are drawn.

    Returns
    -------
    ndarray of float64
        R[x, y, a, b], with an expectation of at most 1 under each local strategy and each setting
        law within the predictability, exactly.
    """
    trials, best, promised = int(seen.sum()), np.ones(CELLS), 0.0
    if trials == 0:
        return best
    for behaviour, parameters in (_won_as_seen(seen, signs), 1), (_likeliest(seen, law), 8):
        factors = _ratio_to_local(behaviour, law)
        gain = float((seen * np.log(factors)).sum() - parameters) / trials
        if gain > promised:
            best, promised = factors, gain
    return best


def log_ratios(
    parts: Sequence[Counts], signs: npt.NDArray[np.int8], law: SettingLaw
) -> list[float]:
    """Return ln ∏R after each part, rounded down; each part's factors are made of those before.

    Parameters
    ----------
    parts : sequence of ndarray of int64
        Counts n[herald, x, y, a, b] of consecutive parts, whose ends do not depend on outcomes.
    signs : ndarray of int8
        s[herald, x, y]; each herald has factors of its own.
    law : SettingLaw
        How settings are drawn.
    """
    seen, terms, found = np.zeros_like(parts[0]), [0.0], []
    for counts in parts:
        for herald in np.flatnonzero(counts.any(axis=(1, 2, 3, 4))):
            logs = np.log(trained_factors(seen[herald], signs[herald], law))
            terms += (counts[herald] * logs).ravel().tolist()
        seen = seen + counts
        # Each term has two rounding errors of half a digit, and the sum one.
        found.append(math.fsum(terms) - 4 * _EPSILON * math.fsum(map(abs, terms)))
    return found


def ratio_p_value(log_ratio: float) -> PValue:
    """Return min(1, 1/∏R), rounded up."""
    return PValue.of_log(-log_ratio)


def _won_as_seen(seen: Counts, signs: Signs) -> Table:
    """Return P(ab|xy) of unbiased outcomes that win as often as was seen."""
    winning = signs[:, :, np.newaxis, np.newaxis] == _PRODUCTS
    won = (seen[winning].sum() + _NOISE_TRIALS / 2) / (seen.sum() + _NOISE_TRIALS)
    behaviour: Table = np.where(winning, won / 2, (1 - won) / 2)
    return behaviour


def _likeliest(seen: Counts, law: SettingLaw) -> Table:
    """Return P(ab|xy) of the no-signalling behaviour that the trials are likeliest under."""
    noise = law.pairs[:, :, np.newaxis, np.newaxis] / 4
    frequencies = (seen + _NOISE_TRIALS * noise) / (seen.sum() + _NOISE_TRIALS)
    joint = nearest_mixture(frequencies, NO_SIGNALLING, law.pairs)
    behaviour: Table = joint / law.pairs[:, :, np.newaxis, np.newaxis]
    return behaviour


def _ratio_to_local(behaviour: Table, law: SettingLaw) -> Table:
    """Return p/q with q the nearest local mixture, scaled and rounded down to be sound."""
    joint = behaviour * law.pairs[:, :, np.newaxis, np.newaxis]
    factors = joint / nearest_mixture(joint, LOCAL, law.pairs)
    # Three roundings, of the greatest expectation, of the quotient and of this product.
    sound: Table = factors / float(greatest_expectation(factors, law)) * (1 - 4 * _EPSILON)
    return sound
