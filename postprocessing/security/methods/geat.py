"""The method "geat": generalised entropy accumulation, with announcements round by round."""

from __future__ import annotations

from postprocessing.security.accumulation import AccumulationParameters, accumulation_terms
from postprocessing.security.block import Block
from postprocessing.security.methods.tan22 import Tan22
from postprocessing.security.terms import Terms


class Geat(Tan22):
    """Fixed lengths by the generalised entropy accumulation of Metger et al. (2022)."""

    name = "geat"
    label = (
        "composable finite-size security against coherent attacks, with announcements round by "
        "round (this project's form of generalised entropy accumulation, Metger et al. 2022)"
    )
    rules = frozenset({"local", "announced"})

    def terms(self, block: Block, parameters: AccumulationParameters) -> Terms:
        """Evaluate the bound term by term, see `accumulation_terms`."""
        return accumulation_terms(block, parameters, with_announcements=True)


METHOD = Geat()
