"""The method "tan22_counted": that of Tan et al. with the patterns of losses counted."""

from __future__ import annotations

from functools import partial

from postprocessing.security.block import Block
from postprocessing.security.counted import SmoothedParameters, smoothed_hashing
from postprocessing.security.counted_optimum import with_smoothing
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

    def optimise(self, block: Block) -> SmoothedParameters:
        """Return the best free parameters, to about 1e-6 of the length."""
        return self.best(block, partial(with_smoothing, block))

    def hashing(self, block: Block, parameters: SmoothedParameters) -> dict[str, float]:
        """Return the cost of smoothing, acceptance and hashing, see `smoothed_hashing`."""
        announced = self.with_announcements
        return smoothed_hashing(block, parameters, with_announcements=announced)


METHOD = Tan22Counted()
