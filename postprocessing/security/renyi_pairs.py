"""The free parameters of Rényi keys whose two kinds of tests have credits of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from postprocessing.checks import real_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.block import Block, Counts
from postprocessing.security.counted import Pair, test_costs
from postprocessing.security.entropy import entropy_of_coherence
from postprocessing.security.renyi_round import RenyiBalance

Table = npt.NDArray[np.float64]

# 2^(δ f) does not overflow.
_MOST_EXPONENT = 1000.0
# A won and a lost test of either kind: with the reference's key setting, and without.
_OUTCOMES = (
    Counts(1, 0, (1, 0)),
    Counts(0, 1, (0, 1)),
    Counts(1, 0, (0, 0)),
    Counts(0, 1, (0, 0)),
)


@dataclass(frozen=True)
class RenyiPairs:
    """The free parameters of the bound, fixed before the run; every choice in range is secure.

    Pairs are of tests with the reference's key setting and of the others.

    Parameters
    ----------
    excess : float
        δ = α − 1 in (0, 1), the Rényi order.
    win_credits, loss_credits : (float, float)
        f of won and of lost tests, bits that they add; of either kind more for a won one.
    published_wins : (float, float)
        w̃ in (0, 1), the win probabilities that the cost of publishing test outcomes is set for.

    Raises
    ------
    InvalidArgumentError
        If a parameter is outside its range.
    """

    excess: float
    win_credits: Pair
    loss_credits: Pair
    published_wins: Pair

    def __post_init__(self) -> None:
        """Check the ranges."""
        real_number("excess", self.excess, "in (0, 1)", within=lambda x: 0 < x < 1)
        most = _MOST_EXPONENT / self.excess
        for name in (field.name for field in fields(self) if field.name != "excess"):
            pair = getattr(self, name)
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise InvalidArgumentError(name, pair, "a pair, for both kinds of tests")
            low, high, allowed = -most, most, f"at most {_MOST_EXPONENT:g}/excess in size"
            if name == "published_wins":
                low, high, allowed = 0.0, 1.0, "in (0, 1)"
            for number in pair:
                if not low < real_number(name, number) < high:
                    raise InvalidArgumentError(name, pair, allowed)
        for won, lost in zip(self.win_credits, self.loss_credits, strict=True):
            if not lost < won:
                allowed = "greater than loss_credits, of both kinds"
                raise InvalidArgumentError("win_credits", self.win_credits, allowed)

    def cost(self, tests: Counts) -> float:
        """Return what publishing both outcomes of tests costs, in bits.

        1 + log2(1/w̃) a won and 1 + log2(1/(1 − w̃)) a lost test of either kind.
        """
        costs = (test_costs(win) for win in self.published_wins)
        kinds = zip(tests.by_kind, costs, strict=True)
        return math.fsum(kind.won * won + kind.lost * lost for kind, (won, lost) in kinds)

    def score(self, tests: Counts) -> float:
        """Return the credits of tests less that cost: an affine function of the counts, in bits."""
        kinds = zip(tests.by_kind, self.win_credits, self.loss_credits, strict=True)
        credited = math.fsum(kind.won * won + kind.lost * lost for kind, won, lost in kinds)
        return credited - self.cost(tests)

    def outcomes(self, block: Block) -> tuple[Table, Table]:
        """Return the scores a test may have, and how often honest devices have them."""
        scores = np.array([self.score(one) for one in _OUTCOMES])
        kinds = zip(block.probabilities.kinds, block.win_probabilities, strict=True)
        return scores, np.array([p * share for p, win in kinds for share in (win, 1 - win)])

    def balance(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> RenyiBalance:
        """Return the sum G of a round at these credits."""
        return RenyiBalance(
            probabilities, self.excess, self.win_credits, self.loss_credits, noisy_preprocessing
        )

    def accumulated_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        """Return κ, the bits that each round adds beside the credits of its test."""
        return _accumulated_entropy(self, probabilities, noisy_preprocessing)

    def expected_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        """Return the von Neumann entropy of a key round at the weighted CHSH value of w̃."""
        weight = self.balance(probabilities, noisy_preprocessing).weight
        first, second = (4 * win - 2 for win in self.published_wins)
        square = (weight * first + second) ** 2 / 4 - weight**2
        coherence = min(math.sqrt(max(square, 0.0)), 1.0)
        return float(entropy_of_coherence(coherence, noisy_preprocessing))


@lru_cache(maxsize=256)
def _accumulated_entropy(
    parameters: RenyiPairs, probabilities: RoundProbabilities, noisy_preprocessing: float
) -> float:
    return parameters.balance(probabilities, noisy_preprocessing).accumulated_entropy
