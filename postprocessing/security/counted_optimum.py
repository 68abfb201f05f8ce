"""The free parameters of keys with counted tests that give the longest key."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from postprocessing.security.block import Block
from postprocessing.security.counted import CountedParameters, LossScore, SmoothedParameters
from postprocessing.security.entropy import (
    QUANTUM_WIN_PROBABILITIES,
    coherence,
    steepness_of_coherence,
)
from postprocessing.security.terms import Terms

P = TypeVar("P", bound=CountedParameters)

_LN2 = math.log(2)
_TOLERANCE = 1e-4
# Far outside what a block with a key needs.
_EXCESS_RANGE = (1e-14, 0.9)
_TANGENT_RANGE = (1e-3, 12.0)
# Steps to k from k s, and the least s of a search.
_STEPS, _LEAST_SHARE = 20, 0.3


def best_counted_parameters(
    block: Block,
    terms: Callable[[Block, Any], Terms],
    complete: Callable[[CountedParameters], P],
    published_win: float,
    most_test_bits: float,
) -> P:
    """Return the parameters of the longest key for this block.

    The search runs over the coherence E of the worst device and over x: the credit k follows, as
    that at which the worst device has this coherence.

    Parameters
    ----------
    block : Block
        The block.
    terms : callable
        The terms of its length at given parameters.
    complete : callable
        Adds what the method needs beside the parameters of all.
    published_win, most_test_bits : float
        Parameters that are fixed beforehand.

    Returns
    -------
    CountedParameters
        The best to about 1e-6 of the length. Security does not rest on their being the best.
    """
    start = np.array(_start(block))

    def parameters(places: npt.NDArray[np.float64]) -> P:
        place, log_excess = np.clip(places, *np.log([_TANGENT_RANGE, _EXCESS_RANGE]).T).tolist()
        tangent, x = math.tanh(math.exp(place)), math.exp(log_excess)
        wanted = _credit_of_tangent(block, tangent)
        return complete(_credited(block, wanted, x, tangent, published_win, most_test_bits))

    def shortfall(places: Any) -> float:
        return -terms(block, parameters(places)).total

    simplex = start + 0.2 * np.vstack([np.zeros(2), np.eye(2)])
    options: Any = {"initial_simplex": simplex, "xatol": _TOLERANCE, "fatol": 1e-8 * block.rounds}
    found: Any = minimize(shortfall, start, method="Nelder-Mead", options=options)
    return parameters(found.x)


def with_smoothing(block: Block, parameters: CountedParameters) -> SmoothedParameters:
    """Add the best split of ε_sec = ε_PA + 2 ε′.

    For small ε every cost is a multiple of log2(1/ε), so the best shares are proportional to the
    multiples, 2/x and 2.
    """
    smoothing = block.secrecy / (1 + parameters.excess) / 2
    # Exact in floating point: 2 ε′ is at least half of ε_sec.
    amplification = block.secrecy - 2 * smoothing
    return SmoothedParameters(**vars(parameters), smoothing=smoothing, amplification=amplification)


def _credit_of_tangent(block: Block, tangent: float) -> float:
    """Return the credit k s at which the worst device has a given coherence."""
    marks, q = block.probabilities, block.noisy_preprocessing
    steepness = marks.key * float(steepness_of_coherence(tangent, q))
    steepness += marks.test * float(steepness_of_coherence(tangent))
    gain = math.sqrt(1 + tangent**2) * steepness / (2 * _LN2)
    return gain * 8 / marks.test


def _credited(block: Block, wanted: float, excess: float, *others: float) -> CountedParameters:
    """Return the parameters whose credit k leaves a given k s for winning."""

    def score(credit: float, excess: float) -> LossScore:
        parameters = CountedParameters(credit, excess, *others)
        return LossScore(block.probabilities, parameters, block.noisy_preprocessing)

    # The cost of fluctuation grows ever slower with k: s stays positive while k is sought.
    most = _LEAST_SHARE / (score(wanted, excess).point[2] * wanted)
    found = score(wanted, min(excess, most))
    for _ in range(_STEPS):
        found = score(wanted / max(found.share, _LEAST_SHARE), min(excess, most))
    return found.parameters


def _start(block: Block) -> tuple[float, float]:
    """Return logarithms of artanh E at the expected win probability, and of the normal x."""
    low, high = _TANGENT_RANGE
    win = min(max(block.win_probability, 0.75), QUANTUM_WIN_PROBABILITIES[1])
    place = math.log(min(max(math.atanh(min(float(coherence(win)), 1 - 1e-16)), low), high))
    credit = _credit_of_tangent(block, math.tanh(math.exp(place)))
    lost = block.probabilities.test * (1 - win)
    cost = _LN2 / 2 * (5 + math.sqrt(2 + lost * credit**2)) ** 2
    excess = math.sqrt(-math.log2(block.secrecy) / (block.rounds * cost))
    return place, math.log(min(max(excess, _EXCESS_RANGE[0]), _EXCESS_RANGE[1]))
