"""The account of what a conversation reveals of measurement outcomes."""

from __future__ import annotations

from postprocessing.design.design import Design
from postprocessing.protocol.messages import Message


class Ledger:
    """Every outcome-dependent bit sent or received, and the budget for them.

    Parameters
    ----------
    design : Design
        The frozen design, which has the budget.

    Attributes
    ----------
    leaked_bits : int
        Outcome-dependent bits on the transcript so far.
    """

    def __init__(self, design: Design) -> None:
        self.leaked_bits = 0
        self._design = design

    def enter(self, message: Message) -> None:
        """Count a message that goes out or has come in."""
        self.leaked_bits += message.leaked_bits

    def affords(self, bits_to_come: int, test_rounds: int) -> bool:
        """Tell whether the budget has room for so many more bits, with so many tests published."""
        return not self._design.exceeds_budget(self.leaked_bits + bits_to_come, test_rounds)
