"""The method "tan22": entropy accumulation, the adversary's state fixed at the start."""

from __future__ import annotations

from postprocessing.security.accumulation import AccumulationParameters, accumulation_terms
from postprocessing.security.accumulation_optimum import best_parameters
from postprocessing.security.block import Block
from postprocessing.security.methods.base import Method
from postprocessing.security.terms import Terms


class Tan22(Method[AccumulationParameters]):
    """Fixed lengths by the bound of Tan et al., Quantum 6, 880 (2022)."""

    name = "tan22"
    label = (
        "composable finite-size security against coherent attacks (this project's form of Tan et "
        "al. 2022: local settings with thinning, published tests, noise)"
    )
    parameters = AccumulationParameters
    covers_tolerance = True

    def optimise(self, block: Block) -> AccumulationParameters:
        """Return the best free parameters, to about 1e-6 of the length."""
        return best_parameters(block, self.terms)

    def terms(self, block: Block, parameters: AccumulationParameters) -> Terms:
        """Evaluate the bound term by term, see `accumulation_terms`."""
        return accumulation_terms(block, parameters, with_announcements=False)


METHOD = Tan22()
