"""The free parameters of Rényi keys with two kinds of tests that give the longest length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.block import Block, Counts
from postprocessing.security.counted import Pair
from postprocessing.security.renyi_optimum import Rating
from postprocessing.security.renyi_pairs import RenyiPairs
from postprocessing.security.renyi_round import weight_excess
from postprocessing.security.single_round import other_coherence
from postprocessing.security.weighted_search import Place, best_place, honest_coherence

_LN2 = math.log(2)
Table = npt.NDArray[np.float64]
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


def best_pairs_place(
    block: Block, rating: Rating, *, equal_weights: bool, roughly: bool = False
) -> Place:
    """Return the place of the greatest rating; arguments are those of `best_place`."""
    return best_place(
        block,
        lambda place: rating(_at(block, place)),
        _start(block),
        equal_weights=equal_weights,
        roughly=roughly,
    )


def credited(block: Block, place: Place) -> RenyiPairs:
    """Return the parameters at which G is greatest at a coherence, whatever the rate of tests.

    Then the worst device has this coherence, and gains nothing where tests come more often.
    """
    return _at(block, place).pairs


@dataclass(frozen=True)
class _Estimated:
    """Parameters with κ of the device they are made for, which is the worst, or of fixed answers.

    To search with: the bound over all devices takes longer.
    """

    pairs: RenyiPairs
    entropy: float

    @property
    def excess(self) -> float:
        return self.pairs.excess

    def cost(self, tests: Counts) -> float:
        return self.pairs.cost(tests)

    def score(self, tests: Counts) -> float:
        return self.pairs.score(tests)

    def outcomes(self, block: Block) -> tuple[Table, Table]:
        return self.pairs.outcomes(block)

    def accumulated_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        return self.entropy

    def expected_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        return 0.0


def _at(block: Block, place: Place) -> _Estimated:
    """Return the parameters of a place, with an estimate of κ."""
    excess, tangent, weight = place.excess, place.tangent, place.weight
    marks, q = block.probabilities, block.noisy_preprocessing
    other, root = float(other_coherence(weight, tangent)), math.hypot(weight, tangent)
    # Win probabilities of the worst device, what q_α of its outcomes is below 1, and their slopes.
    wins = 0.5 + weight / (2 * root), 0.5 + tangent**2 / (2 * root)
    (first, first_slope), (second, second_slope) = _moments((tangent, other), excess, 0.0)
    (key, key_slope), (local, _) = _moments((tangent, 0.0), excess, q)
    losses, spreads, moment = [1.0, 1.0], [0.0, 0.0], 1.0
    for _ in range(_STEPS):
        lost = [p * one for p, one in zip(marks.kinds, losses, strict=True)]
        slope = marks.key * key_slope + lost[0] * first_slope + lost[1] * second_slope / weight**2
        gain = max(slope, 1e-300) * root
        spreads = [4 * gain * weight / marks.kinds[0], 4 * gain / marks.kinds[1]]
        kinds = zip(spreads, (1 + first, 1 + second), block.win_probabilities, strict=True)
        losses = [_loss(spread, seen / moment, win) for spread, seen, win in kinds]
        kinds = zip(losses, spreads, (1 + first, 1 + second), strict=True)
        tests = [loss * seen for loss, _, seen in kinds]
        moment = _moment(marks, (key, tests), spreads, wins)
    # Of that device, or of fixed answers, which may win all tests of one kind.
    answers = (1.0, 0.5) if weight > 1 else (0.5, 1.0)
    fixed = _moment(marks, (local, losses), spreads, answers)
    entropy = -math.log(max(moment, fixed)) / (excess * _LN2)
    found = [_credits(excess, loss, gap) for loss, gap in zip(losses, spreads, strict=True)]
    (won_1, lost_1), (won_2, lost_2) = found
    low, high = _LEAST_DISTANCE, 1 - _LEAST_DISTANCE
    published = [min(max(win, low), high) for win in block.win_probabilities]
    pairs = RenyiPairs(excess, (won_1, won_2), (lost_1, lost_2), (published[0], published[1]))
    return _Estimated(pairs, entropy)


def _loss(spread: float, seen: float, win: float) -> float:
    """Return l at a given u − l at which the level of a kind's credits is best.

    The mean credit of honest tests grows with the level as G does: w/u + (1 − w)/l = q_α/G.
    """
    rest = 1 - seen * spread
    return (rest + math.sqrt(rest**2 + 4 * seen * (1 - win) * spread)) / (2 * seen)


def _moment(
    marks: RoundProbabilities,
    rounds: tuple[float, list[float]],
    spreads: list[float],
    wins: tuple[float, float],
) -> float:
    """Return G of a device: q_α − 1 of its key rounds, l q_α of tests, and how it wins these."""
    key, tests = rounds
    kinds = zip(marks.kinds, tests, spreads, wins, strict=True)
    return 1 + marks.key * key + sum(p * (test + gap * win - 1) for p, test, gap, win in kinds)


def _credits(excess: float, loss: float, spread: float) -> Pair:
    """Return f of a won and of a lost test from l and u − l, well in range."""
    exponent = min(max(math.log(loss), -_MOST_EXPONENT), 0.0)
    size = min(max(math.log1p(spread / loss), 1e-12), _MOST_EXPONENT)
    return (exponent + size) / (excess * _LN2), exponent / (excess * _LN2)


def _moments(
    coherences: tuple[float, float], excess: float, noise: float
) -> list[tuple[float, float]]:
    """Return q_α − 1 of two coherences, and −dq_α/dE² by a difference."""
    squares = np.square(coherences)
    steps = _STEP * np.minimum(squares, 1 - squares)
    places = np.sqrt(np.concatenate([squares, squares - steps, squares + steps]))
    values, lows, highs = weight_excess(places, excess, noise).reshape(3, 2)
    slopes = np.divide(lows - highs, 2 * steps, out=np.zeros(2), where=steps > 0)
    return list(zip(values.tolist(), slopes.tolist(), strict=True))


def _start(block: Block) -> tuple[float, float]:
    """Return the normal δ, and the coherence at the expected win probability."""
    marks, win, tangent = block.probabilities, block.win_probability, honest_coherence(block)
    (_, slope), _ = _moments((tangent, tangent), _SMALL, 0.0)
    slope *= marks.keep / (_SMALL * _LN2)
    spread = 2 * slope * math.hypot(1, tangent) / marks.test
    variance = 4 * spread**2 * marks.test * win * (1 - win) + 2
    excess = math.sqrt(-2 * math.log2(block.secrecy) / (block.rounds * variance * _LN2))
    return min(max(excess, _LEAST_EXCESS), _MOST_EXCESS), tangent
