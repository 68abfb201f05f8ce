"""What the methods with counted tests share: what a run must keep to, and what honest ones miss."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from scipy.special import ndtri

from postprocessing.quantiles import (
    Table,
    least_sum,
    miss_probability,
    weighted_exceedance,
    weighted_quantile,
)
from postprocessing.security.block import Block
from postprocessing.security.counted import CountedParameters, Pair, counted_terms, test_costs
from postprocessing.security.counted_optimum import credited, start
from postprocessing.security.methods.base import KeyLength, Method
from postprocessing.security.terms import Terms
from postprocessing.security.weighted_search import Place, best_place

P = TypeVar("P", bound=CountedParameters)

# Of the probability with which honest devices may fail, for too many lost tests; the rest is for
# tests that cost too much, of which a standard deviation more costs a hundredth as many bits.
_LOST_SHARE = 0.98
# Of a win probability from 0 and 1.
_LEAST_DISTANCE = 1e-9


class TestsCounted(Method[P], Generic[P]):
    """Fixed lengths with two conditions: lost tests take at most K off, and tests cost at most L′.

    K and L′ are among the free parameters.
    """

    published_per_test = 1
    charged_per_test = 0
    peer_reviewed = False
    tells_kinds_apart = True

    @abstractmethod
    def completed(self, block: Block, parameters: CountedParameters) -> P:
        """Return what the method has beside the parameters of all, at its best."""

    @abstractmethod
    def hashing(self, block: Block, parameters: P) -> dict[str, float]:
        """Return the terms of hashing, and of smoothing where there is any."""

    def optimise(self, block: Block) -> P:
        """Return the best free parameters, to about 1e-6 of the length."""
        # Whoever is not told how the two kinds of tests differ weighs them alike.
        alike = block.win_probability_at_key_setting is None
        found = self._parameters(block)(self._place(block, equal_weights=alike))
        share = _LOST_SHARE * block.completeness_share
        most = weighted_quantile(block.rounds, _losses(block), found.loss_credits, share)
        return replace(found, most_lost=most)

    def _parameters(self, block: Block) -> Callable[[Place], P]:
        """Return what gives the parameters at a place, with the normal approximation of K."""
        wins, most_test_bits = _published_wins(block), _most_test_bits(block)
        deviations = -float(ndtri(_LOST_SHARE * block.completeness_share))
        losses = np.array(_losses(block))

        def complete(place: Place) -> P:
            taken, excess = credited(block, place)
            scores = np.array(taken)
            mean, square = float(losses @ scores), float(losses @ scores**2)
            deviation = math.sqrt(block.rounds * (square - mean**2))
            most = block.rounds * mean + deviations * deviation
            return self.completed(
                block,
                CountedParameters(taken, most, wins, most_test_bits, excess, place.tangent),
            )

        return complete

    def _length(self, block: Block) -> Callable[[Place], float]:
        """Return what gives the length at a place, in bits."""
        parameters = self._parameters(block)

        def length(place: Place) -> float:
            found = parameters(place)
            return counted_terms(block, found, self.hashing(block, found), estimated=True).total

        return length

    def _place(self, block: Block, *, equal_weights: bool, roughly: bool = False) -> Place:
        length = self._length(block)
        return best_place(block, length, start(block), equal_weights=equal_weights, roughly=roughly)

    def settings_rating(self, block: Block) -> float:
        """Return the length with the normal approximation of K and tests of equal weight, in bits.

        The best settings hardly depend on either.
        """
        return self._length(block)(self._place(block, equal_weights=True, roughly=True))

    def rating_near(self, block: Block) -> Callable[[Block], float]:
        """Return what gives the length of blocks much like this one, in bits.

        At the best place of this block: near it, that of the other block is no better to first
        order.
        """
        alike = block.win_probability_at_key_setting is None
        place = self._place(block, equal_weights=alike, roughly=True)
        return lambda other: self._length(other)(place)

    def terms(self, block: Block, parameters: P) -> Terms:
        """Evaluate the bound term by term, see `counted_terms`."""
        return counted_terms(block, parameters, self.hashing(block, parameters))

    def tolerated_losses(self, block: Block, length: KeyLength[P] | None) -> float:
        """Return how many lost tests are never too many."""
        if length is None:
            return 0
        return math.floor(length.parameters.most_lost / max(length.parameters.loss_credits))

    def loss_limit(self, block: Block, length: KeyLength[P] | None) -> tuple[Pair, float]:
        """Return the credits, and K."""
        if length is None:
            return (1.0, 1.0), 0.0
        return length.parameters.loss_credits, length.parameters.most_lost

    def acceptance_rule(self, block: Block, parameters: P | None) -> str:
        """Return what the key depends on, in words."""
        if parameters is None:
            return "no test is passed"
        first, second = parameters.loss_credits
        return (
            f"lost tests that weigh at most {parameters.most_lost:,.0f} bits, {first:.4g} each "
            f"where the reference had its key setting and {second:.4g} elsewhere, and tests that "
            f"cost at most {parameters.most_test_bits:,.0f} bits"
        )

    def failure_probability(self, block: Block, parameters: P | None) -> float:
        """Bound the probability that honest devices miss one of the conditions."""
        if parameters is None:
            return 1.0
        n, most = block.rounds, parameters.most_lost
        lost = weighted_exceedance(n, _losses(block), parameters.loss_credits, most)
        costs = _costs_of_a_round(block, parameters.published_wins)
        return lost + miss_probability(n, *costs, -parameters.most_test_bits)


def _losses(block: Block) -> Pair:
    """Return how often a round of honest devices is a lost test of either kind."""
    kinds = zip(block.probabilities.kinds, _published_wins(block), strict=True)
    first, second = (p * (1 - win) for p, win in kinds)
    return first, second


def _published_wins(block: Block) -> Pair:
    """Return w̃ that patterns of losses are counted for: those of honest devices, inside (0, 1)."""
    low, high = _LEAST_DISTANCE, 1 - _LEAST_DISTANCE
    first, second = (min(max(win, low), high) for win in block.win_probabilities)
    return first, second


def _most_test_bits(block: Block) -> float:
    """Return L′, which the tests of honest devices exceed with their share of failures."""
    costs = _costs_of_a_round(block, _published_wins(block))
    share = (1 - _LOST_SHARE) * block.completeness_share
    return math.ceil(-least_sum(block.rounds, *costs, share))


def _costs_of_a_round(block: Block, wins: Pair) -> tuple[Table, Table]:
    """Return minus what won and lost tests of both kinds cost, and how often they come."""
    costs = np.array([test_costs(win) for win in wins])
    honest = np.array([(win, 1 - win) for win in block.win_probabilities])
    chances = np.array(block.probabilities.kinds)[:, np.newaxis] * honest
    return -costs.ravel(), chances.ravel()
