"""The method "tan22_counted": that of Tan et al. with the patterns of losses counted."""

from __future__ import annotations

from typing import Any

from postprocessing.security.block import Block
from postprocessing.security.counted import CountedParameters, SmoothedParameters, smoothed_hashing
from postprocessing.security.counted_optimum import best_split
from postprocessing.security.methods.tests_counted import TestsCounted


class Tan22Counted(TestsCounted[SmoothedParameters]):
    """Fixed lengths by the bound of Tan et al. (2022), one step of it replaced."""

    name = "tan22_counted"
    label = (
        "composable finite-size security against coherent attacks (this project's form of Tan et "
        "al. 2022, with a counted test register of this project, not peer reviewed)"
    )
    parameters = SmoothedParameters
    with_announcements = False

    def completed(self, block: Block, parameters: CountedParameters) -> SmoothedParameters:
        """Add the best split of ε_sec."""
        found: dict[str, Any] = vars(parameters) | best_split(block, parameters.excess)
        return SmoothedParameters(**found)

    def hashing(self, block: Block, parameters: SmoothedParameters) -> dict[str, float]:
        """Return the cost of smoothing, acceptance and hashing, see `smoothed_hashing`."""
        announced = self.with_announcements
        return smoothed_hashing(block, parameters, with_announcements=announced)


METHOD = Tan22Counted()
