"""The method "renyi_weighted_fixed": two kinds of tests with credits of their own, one length."""

from __future__ import annotations

from postprocessing.security.block import Block
from postprocessing.security.methods.pairs_scored import PairsScored
from postprocessing.security.methods.renyi_fixed import METHOD as UNWEIGHTED
from postprocessing.security.methods.renyi_fixed import ScoreTested
from postprocessing.security.renyi_optimum import Rating, accepted_length
from postprocessing.security.renyi_pairs import RenyiPairs


class RenyiWeightedFixed(PairsScored, ScoreTested[RenyiPairs]):
    """Fixed lengths of blocks whose weighted score reaches F_min."""

    name = "renyi_weighted_fixed"
    label = UNWEIGHTED.label

    def aim(self, block: Block) -> Rating:
        """Return the length at the least score that is accepted."""
        return accepted_length(block)


METHOD = RenyiWeightedFixed()
