"""Reconciliation in fine steps: codes made to measure, planned ladders of rungs, the climb."""

from postprocessing.reconciliation.ladder.climbing import Ascent, Climber, syndromes
from postprocessing.reconciliation.ladder.ladder import Ladder
from postprocessing.reconciliation.ladder.lengths import corrected_qber
from postprocessing.reconciliation.ladder.planning import (
    MOST_LADDER_QBER,
    LadderPlan,
    planned,
    wrong_word_probability,
)
from postprocessing.reconciliation.ladder.tailoring import grown_code

__all__ = [
    "MOST_LADDER_QBER",
    "Ascent",
    "Climber",
    "Ladder",
    "LadderPlan",
    "corrected_qber",
    "grown_code",
    "planned",
    "syndromes",
    "wrong_word_probability",
]
