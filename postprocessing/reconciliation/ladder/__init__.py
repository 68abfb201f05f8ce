"""Reconciliation in fine steps: codes made to measure, planned ladders of rungs, the climb."""

from postprocessing.reconciliation.ladder.climbing import Climber, syndromes
from postprocessing.reconciliation.ladder.ladder import Ladder
from postprocessing.reconciliation.ladder.planning import MOST_LADDER_QBER, LadderPlan, planned
from postprocessing.reconciliation.ladder.tailoring import grown_code

__all__ = [
    "MOST_LADDER_QBER",
    "Climber",
    "Ladder",
    "LadderPlan",
    "grown_code",
    "planned",
    "syndromes",
]
