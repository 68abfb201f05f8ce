"""The method "eat_rpa": entropy accumulation and hashing at one Rényi order, tests counted."""

from __future__ import annotations

from postprocessing.security.block import Block
from postprocessing.security.counted import CountedParameters, renyi_hashing
from postprocessing.security.methods.tests_counted import TestsCounted


class EatRpa(TestsCounted[CountedParameters]):
    """Fixed lengths by generalised entropy accumulation with Rényi privacy amplification."""

    name = "eat_rpa"
    label = (
        "generalised entropy accumulation with Rényi privacy amplification (Kamin et al. 2025; "
        "Dupuis 2023): composable, coherent attacks; theorem used as summarised second-hand and in "
        "the authors' public code, not read in the original; tests counted by a lemma of this "
        "project, not peer reviewed"
    )
    parameters = CountedParameters
    rules = frozenset({"local", "announced"})

    def completed(self, block: Block, parameters: CountedParameters) -> CountedParameters:
        """Return the parameters: the method has no others."""
        return parameters

    def hashing(self, block: Block, parameters: CountedParameters) -> dict[str, float]:
        """Return the cost of hashing, see `renyi_hashing`."""
        return renyi_hashing(block, parameters)


METHOD = EatRpa()
