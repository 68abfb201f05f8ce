"""The free parameters of the Rényi keys that give the longest expected or fixed length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from postprocessing import quantiles
from postprocessing.quantiles import least_sum
from postprocessing.security.block import Block
from postprocessing.security.entropy import (
    LOCAL_WIN_PROBABILITY,
    QUANTUM_WIN_PROBABILITIES,
    chsh_entropy_slope,
)
from postprocessing.security.renyi import RenyiParameters, RenyiScore, renyi_terms

# Beyond, no block has a key; a start there would only overflow.
_EXCESS_RANGE = (1e-14, 0.9)
# 2^(δ f) stays far below overflow.
_MOST_CREDIT_EXPONENT = 500.0
_LEAST_VIOLATION = 1e-3
_TOLERANCE = 1e-4

Rating = Callable[[RenyiScore], float]


def mean_length(block: Block) -> Rating:
    """Return what gives the length at the expected counts of honest devices, in bits."""
    return lambda parameters: renyi_terms(block, parameters, parameters.score(block.tests)).total


def accepted_length(block: Block) -> Rating:
    """Return what gives the length at the least score that is accepted, in bits."""
    return lambda parameters: renyi_terms(block, parameters, least_score(block, parameters)).total


def least_score(block: Block, parameters: RenyiScore) -> float:
    """Return F_min, which honest devices miss with at most a given probability (Chernoff).

    The score of a round is f₁ − c₁ with probability p_test w, f₀ − c₀ with p_test (1 − w), else 0.
    It decides how often honest devices abort and has no part in security.

    Parameters
    ----------
    block : Block
        The block, whose `completeness_share` is the probability of aborting for this reason.
    parameters : RenyiParameters or RenyiPairs
        The free parameters.

    Returns
    -------
    float
        F_min in bits.
    """
    return least_sum(block.rounds, *parameters.outcomes(block), block.completeness_share)


def miss_probability(block: Block, parameters: RenyiScore, score: float) -> float:
    """Bound the probability that honest devices miss a score, as for `least_score`."""
    return quantiles.miss_probability(block.rounds, *parameters.outcomes(block), score)


def best_renyi_parameters(block: Block, rating: Rating) -> RenyiParameters:
    """Return the parameters of the greatest rating.

    Parameters
    ----------
    block : Block
        The block.
    rating : callable
        `mean_length` or `accepted_length`.

    Returns
    -------
    RenyiParameters
        The best to about 1e-5 of the length. Security does not rest on their being the best.
    """
    slope, credit, excess = _start(block)

    def parameters(logs: npt.NDArray[np.float64]) -> RenyiParameters:
        steep, level, order = (float(np.clip(x, -30, 30)) for x in logs)
        delta = min(max(excess * math.exp(order), _EXCESS_RANGE[0]), _EXCESS_RANGE[1])
        spread = slope * math.exp(steep) / block.probabilities.test
        spread = min(spread, _MOST_CREDIT_EXPONENT / delta)
        win_credit = float(min(credit * math.exp(level), spread))
        return RenyiParameters(delta, win_credit, win_credit - spread, float(block.win_probability))

    def shortfall(logs: Any) -> float:
        return -rating(parameters(logs))

    simplex = 0.2 * np.vstack([np.zeros(3), np.eye(3)])
    options: Any = {"initial_simplex": simplex, "xatol": _TOLERANCE, "fatol": 1e-7 * block.rounds}
    found: Any = minimize(shortfall, np.zeros(3), method="Nelder-Mead", options=options)
    return parameters(found.x)


def _start(block: Block) -> tuple[float, float, float]:
    """Return slope, win credit and δ of the normal approximation."""
    marks, win = block.probabilities, block.win_probability
    low, high = LOCAL_WIN_PROBABILITY, QUANTUM_WIN_PROBABILITIES[1]
    win = float(min(max(win, low + _LEAST_VIOLATION), high - _LEAST_VIOLATION))
    slope = marks.keep * float(chsh_entropy_slope(win, block.noisy_preprocessing))
    variance = slope**2 * win * (1 - win) / marks.test + 2
    excess = math.sqrt(-2 * math.log2(block.secrecy) / (block.rounds * variance * math.log(2)))
    return slope, (1 - win) * slope / marks.test, min(excess, _EXCESS_RANGE[1])
