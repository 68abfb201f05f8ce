"""The free parameters of keys with counted tests that give the longest key."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from postprocessing.security.block import Block
from postprocessing.security.counted import CountedParameters, LossScore, Pair
from postprocessing.security.entropy import QUANTUM_WIN_PROBABILITIES, coherence
from postprocessing.security.single_round import RoundBalance

P = TypeVar("P", bound=CountedParameters)

_LN2 = math.log(2)
_TOLERANCE = 1e-4
# Far outside what a block with a key needs: of x, of artanh E and of k₁/k₂ times s₁/s₂.
_RANGES = np.log([(1e-14, 0.9), (1e-3, 12.0), (0.05, 20.0)])
# Steps to k from k s, and the least s of a search.
_STEPS, _LEAST_SHARE = 20, 0.3


def best_counted_parameters(
    block: Block,
    complete: Callable[[Pair, float, float], P],
    length: Callable[[P], float],
    *,
    equal_weights: bool,
) -> P:
    """Return the parameters of the longest key for this block.

    The search runs over x, over the coherence E of the worst device and over the weight β of tests
    with the reference's key setting: the credits follow, as those at which the worst device has
    this coherence.

    Parameters
    ----------
    block : Block
        The block.
    complete : callable
        Gives the parameters of the method from the credits, x and E.
    length : callable
        The length at given parameters, in bits.
    equal_weights : bool
        Whether β stays 1, which is quick and nearly as good.

    Returns
    -------
    CountedParameters
        The best to about 1e-6 of the length. Security does not rest on their being the best.
    """

    def parameters(places: npt.NDArray[np.float64]) -> P:
        # Without a third, the weight is 1.
        places = np.append(places, np.zeros(3 - len(places)))
        x, rapidity, weight = np.exp(np.clip(places, *_RANGES.T)).tolist()
        tangent = math.tanh(rapidity)
        taken, x = _credited(block, _credits_of_tangent(block, tangent, weight), x)
        return complete(taken, x, tangent)

    def shortfall(places: Any) -> float:
        return -length(parameters(places))

    def best(start: npt.NDArray[np.float64], steps: list[float]) -> npt.NDArray[np.float64]:
        simplex = start + np.vstack([0 * start, np.diag(steps)])
        options: Any = {"initial_simplex": simplex, "xatol": _TOLERANCE, "fatol": fatol}
        found: Any = minimize(shortfall, start, method="Nelder-Mead", options=options)
        place: npt.NDArray[np.float64] = found.x
        return place

    fatol = 1e-7 * block.rounds
    place = best(np.array(_start(block)), [0.2, 0.2])
    if not equal_weights:
        place = best(np.append(place, 0.0), [0.05, 0.05, -0.1])
    return parameters(place)


def best_split(block: Block, excess: float) -> dict[str, float]:
    """Return the best split of ε_sec = ε_PA + 2 ε′, by parameter.

    For small ε every cost is a multiple of log2(1/ε), so the best shares are proportional to the
    multiples, 2/x and 2.
    """
    smoothing = block.secrecy / (1 + excess) / 2
    # Exact in floating point: 2 ε′ is at least half of ε_sec.
    return {"smoothing": smoothing, "amplification": block.secrecy - 2 * smoothing}


def _credits_of_tangent(block: Block, tangent: float, weight: float) -> Pair:
    """Return k₁s₁ and k₂s₂ of a weight at which the worst device has a given coherence."""
    marks = block.probabilities
    balance = RoundBalance(marks.key, marks.kinds, (weight, 1.0), block.noisy_preprocessing)
    root = math.hypot(weight, tangent)
    # dΦ/dE² = 0; below the bend there is no such device, and no key either.
    at = max(tangent, math.sqrt(balance.bend) * (1 + 1e-9))
    gain = max(balance.slope(min(at, 1 - 1e-12)) + 1 / root, 1e-9) * root
    first, second = marks.kinds
    return 4 * gain * weight / first, 4 * gain / second


def _credited(block: Block, wanted: Pair, excess: float) -> tuple[Pair, float]:
    """Return the taken k that leave given k s for winning, and x, less where s would be small."""

    def score(taken: Pair) -> LossScore:
        return LossScore(block.probabilities, taken, block.win_probabilities, excess)

    # The cost of fluctuation grows ever slower with k: s stays positive while k is sought.
    excess = min(excess, _LEAST_SHARE / (score(wanted).point[2] * max(wanted)))
    taken = wanted
    for _ in range(_STEPS):
        shares = (max(share, _LEAST_SHARE) for share in score(taken).shares)
        first, second = (k / share for k, share in zip(wanted, shares, strict=True))
        if taken == (first, second):
            break
        taken = first, second
    return taken, excess


def _start(block: Block) -> tuple[float, float]:
    """Return logarithms of the normal x, and of artanh E at the expected win probability."""
    (low_x, high_x), (low, high), _ = np.exp(_RANGES).tolist()
    win = min(max(block.win_probability, 0.75), QUANTUM_WIN_PROBABILITIES[1])
    rapidity = min(max(math.atanh(min(float(coherence(win)), 1 - 1e-16)), low), high)
    taken = _credits_of_tangent(block, math.tanh(rapidity), 1.0)
    lost = block.probabilities.test * (1 - win)
    cost = _LN2 / 2 * (5 + math.sqrt(2 + lost * max(taken) ** 2)) ** 2
    excess = math.sqrt(-math.log2(block.secrecy) / (block.rounds * cost))
    return math.log(min(max(excess, low_x), high_x)), math.log(rapidity)
