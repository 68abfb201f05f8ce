"""The free parameters of keys with counted tests that give the longest key."""

from __future__ import annotations

import math

from postprocessing.security.block import Block
from postprocessing.security.counted import LossScore, Pair
from postprocessing.security.single_round import RoundBalance
from postprocessing.security.weighted_search import Place, honest_coherence

_LN2 = math.log(2)
# Of x, far outside what a block with a key needs.
_LEAST_EXCESS, _MOST_EXCESS = 1e-14, 0.9
# Steps to k from k s, and the least s of a search.
_STEPS, _LEAST_SHARE = 20, 0.3


def credited(block: Block, place: Place) -> tuple[Pair, float]:
    """Return the credits at which the worst device has the coherence of a place, and x in range."""
    wanted = _credits_of_tangent(block, place.tangent, place.weight)
    return _credited(block, wanted, place.excess)


def start(block: Block) -> tuple[float, float]:
    """Return the normal x, and the coherence at the expected win probability."""
    tangent = honest_coherence(block)
    taken = _credits_of_tangent(block, tangent, 1.0)
    lost = block.probabilities.test * (1 - block.win_probability)
    cost = _LN2 / 2 * (5 + math.sqrt(2 + lost * max(taken) ** 2)) ** 2
    excess = math.sqrt(-math.log2(block.secrecy) / (block.rounds * cost))
    return min(max(excess, _LEAST_EXCESS), _MOST_EXCESS), tangent


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
