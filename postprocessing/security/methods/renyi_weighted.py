"""The method "renyi_weighted": two kinds of tests with credits of their own, a varying length."""

from __future__ import annotations

from postprocessing.security.block import Block
from postprocessing.security.methods.base import Method
from postprocessing.security.methods.pairs_scored import PairsScored
from postprocessing.security.methods.renyi import CountsScored
from postprocessing.security.methods.renyi_weighted_fixed import METHOD as FIXED
from postprocessing.security.renyi_optimum import Rating, mean_length
from postprocessing.security.renyi_pairs import RenyiPairs


class RenyiWeighted(PairsScored, CountsScored[RenyiPairs]):
    """Lengths that vary with the counts of both kinds, by the parameters of the best mean."""

    name = "renyi_weighted"
    label = FIXED.label

    def aim(self, block: Block) -> Rating:
        """Return the length at the expected counts."""
        return mean_length(block)

    @property
    def cautious(self) -> Method[RenyiPairs] | None:
        """The method at the parameters of the best low quantile."""
        return _Cautious()


class _Cautious(RenyiWeighted):
    """By the parameters of the best low quantile."""

    def aim(self, block: Block) -> Rating:
        """Return the length at the least score that is accepted."""
        return FIXED.aim(block)

    def rating(self, block: Block) -> float:
        """Return the low quantile of the length, which is the fixed one."""
        return FIXED.rating(block)

    @property
    def cautious(self) -> Method[RenyiPairs] | None:
        """None: there is nothing more cautious."""
        return None


METHOD = RenyiWeighted()
