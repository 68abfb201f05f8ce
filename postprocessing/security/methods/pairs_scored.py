"""What the Rényi methods share whose two kinds of tests have credits of their own."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from postprocessing.security.block import Block
from postprocessing.security.counted import Pair
from postprocessing.security.methods.base import KeyLength, Method
from postprocessing.security.renyi_optimum import Rating
from postprocessing.security.renyi_pairs import RenyiPairs
from postprocessing.security.renyi_pairs_optimum import (
    best_pairs_place,
    best_renyi_pairs,
    credited,
)


class PairsScored(Method[RenyiPairs]):
    """Credits that depend on whether the reference had its key setting."""

    parameters = RenyiPairs
    tells_kinds_apart = True

    @abstractmethod
    def aim(self, block: Block) -> Rating:
        """Return what parameters are chosen for, in bits."""

    def optimise(self, block: Block) -> RenyiPairs:
        """Return the parameters of the greatest length aimed at, to about 1e-5 of it."""
        # Whoever is not told how the two kinds of tests differ weighs them alike.
        alike = block.win_probability_at_key_setting is None
        return best_renyi_pairs(block, self.aim(block), equal_weights=alike)

    def loss_limit(self, block: Block, length: KeyLength[RenyiPairs] | None) -> tuple[Pair, float]:
        """Return what a lost test takes off the score, and what honest ones rarely exceed."""
        if length is None:
            return (1.0, 1.0), 0.0
        scores, chances = length.parameters.outcomes(block)
        first, second = float(scores[0] - scores[1]), float(scores[2] - scores[3])
        taken = np.array([0.0, first, 0.0, second])
        mean = float(chances @ taken)
        deviation = math.sqrt(block.rounds * (float(chances @ taken**2) - mean**2))
        most = block.rounds * mean - float(ndtri(block.completeness_share)) * deviation
        return (first, second), most

    def settings_rating(self, block: Block) -> float:
        """Return the length with tests of equal weight, in bits: settings hardly differ."""
        rating = self.aim(block)
        place = best_pairs_place(block, rating, equal_weights=True, roughly=True)
        return rating(credited(block, place))

    def rating_near(self, block: Block) -> Callable[[Block], float]:
        """Return what gives the length of blocks much like this one, at its best place, in bits."""
        alike = block.win_probability_at_key_setting is None
        place = best_pairs_place(block, self.aim(block), equal_weights=alike, roughly=True)
        return lambda other: self.aim(other)(credited(other, place))
