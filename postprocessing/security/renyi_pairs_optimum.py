"""The free parameters of Rényi keys with two kinds of tests that give the longest length."""

from __future__ import annotations

import math

import numpy as np

from postprocessing.security.block import Block
from postprocessing.security.counted import Pair
from postprocessing.security.renyi_optimum import Rating
from postprocessing.security.renyi_pairs import RenyiPairs
from postprocessing.security.renyi_round import weight_excess
from postprocessing.security.single_round import other_coherence
from postprocessing.security.weighted_search import Place, best_place, honest_coherence

_LN2 = math.log(2)
# Of δ, far outside what a block with a key needs; and one at which the entropy is von Neumann's.
_LEAST_EXCESS, _MOST_EXCESS, _SMALL = 1e-14, 0.9, 1e-6
# Rounds of settling the credits, and their greatest δ f.
_STEPS, _MOST_EXPONENT = 12, 400.0
# A win probability from 0 and 1, and E² around which a slope is taken, as a part of what is left.
_LEAST_DISTANCE, _STEP = 1e-9, 1e-3


def best_renyi_pairs(block: Block, rating: Rating, *, equal_weights: bool) -> RenyiPairs:
    """Return the parameters of the greatest rating.

    Parameters
    ----------
    block : Block
        The block.
    rating : callable
        What is to be as large as possible, in bits.
    equal_weights : bool
        Whether β stays 1, which is quick and nearly as good.

    Returns
    -------
    RenyiPairs
        The best to about 1e-5 of the length. Security does not rest on their being the best.
    """
    return credited(block, best_pairs_place(block, rating, equal_weights=equal_weights))


def best_pairs_place(block: Block, rating: Rating, *, equal_weights: bool) -> Place:
    """Return the place of the greatest rating; arguments are those of `best_renyi_pairs`."""
    return best_place(
        block,
        lambda place: rating(credited(block, place)),
        _start(block),
        equal_weights=equal_weights,
    )


def credited(block: Block, place: Place) -> RenyiPairs:
    """Return the parameters at which G is greatest at a coherence, whatever the rate of tests.

    Then the worst device has this coherence, and gains nothing where tests come more often.
    """
    excess, tangent, weight = place.excess, place.tangent, place.weight
    marks, q = block.probabilities, block.noisy_preprocessing
    other = float(other_coherence(weight, tangent))
    root = math.hypot(weight, tangent)
    # Win probabilities of the worst device, q_α of its outcomes, and their slopes in E².
    wins = 0.5 + weight / (2 * root), 0.5 + tangent**2 / (2 * root)
    seen = [(tangent, q), (tangent, 0.0), (other, 0.0)]
    key, *tests = (1 + _weight(c, excess, noise) for c, noise in seen)
    key_slope, first_slope, second_slope = (_slope(c, excess, noise) for c, noise in seen)
    level = (1 - marks.keep + marks.key * key) / (1 - marks.test)
    losses = [1.0, 1.0]
    ratios = [1.0, 1.0]
    for _ in range(_STEPS):
        first, second = (p * lost for p, lost in zip(marks.kinds, losses, strict=True))
        slope = marks.key * key_slope + first * first_slope + second * second_slope / weight**2
        gain = max(slope, 1e-300) * root
        ratios = [4 * gain * weight / first + 1, 4 * gain / second + 1]
        rounds = zip(ratios, wins, tests, strict=True)
        losses = [level / ((ratio - 1) * win + q_test) for ratio, win, q_test in rounds]
    found = [_credits(excess, lost, ratio) for lost, ratio in zip(losses, ratios, strict=True)]
    (won_1, lost_1), (won_2, lost_2) = found
    published = [
        min(max(win, _LEAST_DISTANCE), 1 - _LEAST_DISTANCE) for win in block.win_probabilities
    ]
    return RenyiPairs(excess, (won_1, won_2), (lost_1, lost_2), (published[0], published[1]))


def _credits(excess: float, lost: float, ratio: float) -> Pair:
    """Return f of a won and of a lost test, whose 2^(δf) are given, well in range."""
    exponent = min(max(math.log(lost), -_MOST_EXPONENT), 0.0)
    spread = min(max(math.log(ratio), 1e-12), _MOST_EXPONENT)
    return (exponent + spread) / (excess * _LN2), exponent / (excess * _LN2)


def _weight(c: float, excess: float, noise: float) -> float:
    return float(weight_excess(np.array([c]), excess, noise)[0])


def _slope(c: float, excess: float, noise: float) -> float:
    """Return −dq_α/dE² at a coherence in (0, 1), by a difference."""
    square = c * c
    step = _STEP * min(square, 1 - square)
    ends = np.sqrt([square - step, square + step])
    low, high = weight_excess(ends, excess, noise).tolist()
    return (low - high) / (2 * step) if step else 0.0


def _start(block: Block) -> tuple[float, float]:
    """Return the normal δ, and the coherence at the expected win probability."""
    marks, win, tangent = block.probabilities, block.win_probability, honest_coherence(block)
    slope = marks.keep * _slope(tangent, _SMALL, 0.0) / (_SMALL * _LN2)
    spread = 2 * slope * math.hypot(1, tangent) / marks.test
    variance = 4 * spread**2 * marks.test * win * (1 - win) + 2
    excess = math.sqrt(-2 * math.log2(block.secrecy) / (block.rounds * variance * _LN2))
    return min(max(excess, _LEAST_EXCESS), _MOST_EXCESS), tangent
