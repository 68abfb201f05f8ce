"""The method "renyi_fixed": Rényi entropy accumulation, the length fixed, the score tested."""

from __future__ import annotations

from typing import Generic, TypeVar

from postprocessing.security.block import Block
from postprocessing.security.methods.base import Method
from postprocessing.security.renyi import RenyiParameters, RenyiScore, renyi_terms
from postprocessing.security.renyi_optimum import (
    accepted_length,
    best_renyi_parameters,
    least_score,
)
from postprocessing.security.terms import Terms

P = TypeVar("P", bound=RenyiScore)


class ScoreTested(Method[P], Generic[P]):
    """Fixed lengths of blocks whose score reaches F_min."""

    published_per_test = 2
    charged_per_test = 0
    scored = True
    peer_reviewed = False

    def terms(self, block: Block, parameters: P) -> Terms:
        """Evaluate the bound at the least score accepted, see `renyi_terms`."""
        return renyi_terms(block, parameters, self.least_score(block, parameters))

    def least_score(self, block: Block, parameters: P) -> float:
        """Return F_min as the block has it, or as honest devices need it."""
        return least_score(block, parameters) if block.least_score is None else block.least_score

    def acceptance_rule(self, block: Block, parameters: P | None) -> str:
        """Return what the key depends on, in words."""
        return f"a score of at least {block.least_score:,.0f} bits"

    def failure_probability(self, block: Block, parameters: P | None) -> float:
        """Return the probability that F_min allows for, by Chernoff's bound."""
        return block.completeness_share


class RenyiFixed(ScoreTested[RenyiParameters]):
    """The same credits for both kinds of tests."""

    name = "renyi_fixed"
    label = (
        "Rényi entropy accumulation against coherent attacks; derived and checked for this "
        "project, not peer reviewed; conditional on the stated assumptions"
    )
    parameters = RenyiParameters
    covers_tolerance = True

    def optimise(self, block: Block) -> RenyiParameters:
        """Return the parameters of the longest key, to about 1e-5 of the length."""
        return best_renyi_parameters(block, accepted_length(block))


METHOD = RenyiFixed()
