"""The free parameters of entropy accumulation that give the longest key."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq, minimize_scalar

from postprocessing.security.accumulation import (
    LOG_TEST_DIMENSION,
    AccumulationParameters,
    acceptance_bits,
    smoothing_bits,
)
from postprocessing.security.block import Block
from postprocessing.security.terms import Terms
from postprocessing.security.tradeoff import MinTradeoff

# C = tanh t of the tangent: the slope of η is nearly linear in t, and at t = 12 the tangent point
# is within 2e-11 of the Tsirelson bound.
_TANGENT_RANGE = (1e-3, 12.0)
# Far outside what a block with a key needs; below, shares of ε would vanish by rounding.
_FIRST_EXCESS_RANGE = (1e-14, 0.9)
# Of the place of a maximum: what it costs is of second order.
_TOLERANCE = 1e-4
_SECOND_EXCESS_LIMIT = 0.99 / LOG_TEST_DIMENSION


def best_parameters(
    block: Block, terms: Callable[[Block, AccumulationParameters], Terms]
) -> AccumulationParameters:
    """Return the parameters of the longest key for this block.

    The search runs over the tangent alone: given it, the length is concave in α′ and its
    derivative is known; given α′, the split of ε and α″ have a closed form.

    Parameters
    ----------
    block : Block
        The block.
    terms : callable
        The terms of its length at given parameters.

    Returns
    -------
    AccumulationParameters
        The best to about 1e-6 of the length. Security does not rest on their being the best.
    """

    def parameters(t: float) -> AccumulationParameters:
        tangent = 0.5 + math.sqrt(1 + math.tanh(t) ** 2) / 4
        return _split(block, tangent, _first_excess(block, tangent))

    def shortfall(t: float) -> float:
        return -terms(block, parameters(t)).total

    found = minimize_scalar(
        shortfall, bounds=_TANGENT_RANGE, method="bounded", options={"xatol": _TOLERANCE}
    )
    return parameters(float(found.x))


def _first_excess(block: Block, tangent: float) -> float:
    """Return the α′ − 1 at which the length stops growing."""
    score = MinTradeoff(block.probabilities, tangent, block.noisy_preprocessing)

    def imbalance(log_excess: float) -> float:
        """Log ratio of what grows with α′ − 1 to what shrinks with it; increasing."""
        x = math.exp(log_excess)
        # By the envelope theorem neither the infimum's place nor the split need be varied.
        _, worst = score.infimum(x)
        remainder = 2 + x * score.spread * math.log(2) + 3 * x / (1 - x)
        growing = score.variance_cost(worst) + x * score.remainder_cost(x) * remainder
        smoothing = smoothing_bits(_split(block, tangent, x).first_smoothing)
        shrinking = smoothing + acceptance_bits(block)
        return 2 * log_excess + math.log(block.rounds * growing / shrinking)

    low, high = (math.log(x) for x in _FIRST_EXCESS_RANGE)
    if imbalance(low) >= 0:
        return _FIRST_EXCESS_RANGE[0]
    if imbalance(high) <= 0:
        return _FIRST_EXCESS_RANGE[1]
    return math.exp(brentq(imbalance, low, high, xtol=_TOLERANCE))


def _split(block: Block, tangent: float, first_excess: float) -> AccumulationParameters:
    """Return the parameters with the best split of ε and the best α″ at this tangent and α′.

    For small ε every cost is a multiple of log2(1/ε_i), so the best shares of the sum
    ε_PA + 2 ε_s are proportional to the multiples.
    """
    first = 1 / first_excess
    chain_rules = 3.0
    amplification = 1.0
    second_smoothing, second_excess = 0.03 * block.secrecy, _SECOND_EXCESS_LIMIT
    # α″ moves with the logarithm of ε_s″ alone, so the iteration settles at once.
    for _ in range(4):
        cost = smoothing_bits(second_smoothing) + acceptance_bits(block)
        best = math.sqrt(cost / block.rounds) / LOG_TEST_DIMENSION
        second_excess = min(best, _SECOND_EXCESS_LIMIT)
        total = first + 1 / second_excess + chain_rules + amplification
        second_smoothing = block.secrecy / total / second_excess / 4
    smoothing = block.secrecy * (total - amplification) / total / 2
    return AccumulationParameters(
        tangent=tangent,
        first_excess=first_excess,
        second_excess=second_excess,
        first_smoothing=block.secrecy * first / total / 2,
        second_smoothing=second_smoothing,
        smoothing=smoothing,
        # Exact in floating point, as 2 ε_s is at least half of ε_sec.
        amplification=block.secrecy - 2 * smoothing,
    )
