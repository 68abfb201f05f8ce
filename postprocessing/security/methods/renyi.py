"""The method "renyi": Rényi entropy accumulation, the length an affine function of the counts."""

from __future__ import annotations

from typing import Generic, TypeVar

from postprocessing.security.block import Block
from postprocessing.security.methods.base import Method
from postprocessing.security.methods.renyi_fixed import METHOD as FIXED
from postprocessing.security.renyi import RenyiParameters, RenyiScore, renyi_terms
from postprocessing.security.renyi_optimum import (
    accepted_length,
    best_renyi_parameters,
    mean_length,
    miss_probability,
)
from postprocessing.security.terms import Terms

P = TypeVar("P", bound=RenyiScore)


class CountsScored(Method[P], Generic[P]):
    """Lengths that vary with the counts of tests."""

    published_per_test = 2
    charged_per_test = 0
    varies = True
    peer_reviewed = False

    def terms(self, block: Block, parameters: P) -> Terms:
        """Evaluate the bound at the counts of the block, see `renyi_terms`."""
        return renyi_terms(block, parameters, parameters.score(block.tests))

    def acceptance_rule(self, block: Block, parameters: P | None) -> str:
        """Return what the key depends on, in words."""
        return "the length follows from the tests won and lost"

    def failure_probability(self, block: Block, parameters: P | None) -> float:
        """Bound the probability that the length comes out below a byte at the whole leakage."""
        if parameters is None:
            return 1.0
        missing = 8 - self.length(block, parameters).unclipped
        return miss_probability(block, parameters, parameters.score(block.tests) + missing)


class Renyi(CountsScored[RenyiParameters]):
    """The same credits for both kinds of tests, by the parameters of the best mean."""

    name = "renyi"
    label = FIXED.label
    parameters = RenyiParameters
    covers_tolerance = True

    def optimise(self, block: Block) -> RenyiParameters:
        """Return the parameters of the greatest mean, to about 1e-5 of the length."""
        return best_renyi_parameters(block, mean_length(block))

    @property
    def cautious(self) -> Method[RenyiParameters] | None:
        """The method at the parameters of the best low quantile."""
        return _Cautious()


class _Cautious(Renyi):
    """By the parameters of the best low quantile."""

    def optimise(self, block: Block) -> RenyiParameters:
        """Return the parameters of the longest key at the least score that is accepted."""
        return best_renyi_parameters(block, accepted_length(block))

    def rating(self, block: Block) -> float:
        """Return the low quantile of the length, which is the fixed one."""
        return FIXED.rating(block)

    @property
    def cautious(self) -> Method[RenyiParameters] | None:
        """None: there is nothing more cautious."""
        return None


METHOD = Renyi()
