"""What the methods with counted tests share: what a run must keep to, and what honest ones miss."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from postprocessing.quantiles import (
    Table,
    exceedance,
    least_sum,
    miss_probability,
    upper_quantile,
)
from postprocessing.security.block import Block, Counts
from postprocessing.security.counted import CountedParameters, counted_terms
from postprocessing.security.counted_optimum import best_counted_parameters
from postprocessing.security.methods.base import Method
from postprocessing.security.terms import Terms

P = TypeVar("P", bound=CountedParameters)

# Of the probability with which honest devices may fail, for too many lost tests; the rest is for
# tests that cost too much, of which a standard deviation more costs a hundredth as many bits.
_LOSSES_SHARE = 0.98


class TestsCounted(Method[P], Generic[P]):
    """Fixed lengths with two conditions: at most k lost tests, which cost at most L′ bits."""

    published_per_test = 1
    charged_per_test = 0
    peer_reviewed = False

    @abstractmethod
    def hashing(self, block: Block, parameters: P) -> dict[str, float]:
        """Return the terms of hashing, and of smoothing where there is any."""

    def terms(self, block: Block, parameters: P) -> Terms:
        """Evaluate the bound term by term, see `counted_terms`."""
        losses, hashing = self.tolerated_losses(block), self.hashing(block, parameters)
        return counted_terms(block, parameters, losses, hashing)

    def best(self, block: Block, complete: Callable[[CountedParameters], P]) -> P:
        """Return the best free parameters, those of the method added by `complete`."""
        fixed = _published_win(block), _most_test_bits(block)
        return best_counted_parameters(block, self.terms, complete, *fixed)

    def tolerated_losses(self, block: Block) -> float:
        """Return k, as the block has it or as honest devices exceed it with their share."""
        if block.tolerated_losses is not None:
            return block.tolerated_losses
        share = _LOSSES_SHARE * block.completeness_share
        return upper_quantile(int(block.rounds), block.lose_probability, share)

    def accepts(self, block: Block, parameters: P | None, tests: Counts) -> bool:
        """Tell whether both conditions are kept."""
        if parameters is None or tests.lost > self.tolerated_losses(block):
            return False
        return parameters.test_bits(tests) <= parameters.most_test_bits

    def acceptance_rule(self, block: Block) -> str:
        """Return what the key depends on, in words."""
        return f"at most {self.tolerated_losses(block):,.0f} lost tests, and tests that cost little"

    def failure_probability(self, block: Block, parameters: P | None) -> float:
        """Bound the probability that honest devices miss one of the conditions."""
        lost = exceedance(block.rounds, block.lose_probability, int(self.tolerated_losses(block)))
        if parameters is None:
            return lost
        costs = _costs_of_a_round(block, parameters.published_win)
        return lost + miss_probability(block.rounds, *costs, -parameters.most_test_bits)


def _published_win(block: Block) -> float:
    """Return w̃ that patterns of losses are counted for: that of honest devices, inside (0, 1)."""
    return min(max(block.win_probability, 1e-9), 1 - 1e-9)


def _most_test_bits(block: Block) -> float:
    """Return L′, which the tests of honest devices exceed with their share of failures."""
    costs = _costs_of_a_round(block, _published_win(block))
    share = (1 - _LOSSES_SHARE) * block.completeness_share
    return math.ceil(-least_sum(block.rounds, *costs, share))


def _costs_of_a_round(block: Block, win: float) -> tuple[Table, Table]:
    """Return minus what a won and a lost test cost, and how often honest devices have them."""
    costs = np.array([1 - math.log2(win), 1 - math.log1p(-win) / math.log(2)])
    chances = np.array([block.win_probability, 1 - block.win_probability])
    return -costs, block.probabilities.test * chances
