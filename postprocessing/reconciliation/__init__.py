"""Error correction between the parties: codes, syndrome encoder, decoder, verification."""

from postprocessing.reconciliation.brought import bring_code, measure_code
from postprocessing.reconciliation.codes import (
    QCLDPCCode,
    RateAdaptation,
    code_family,
)
from postprocessing.reconciliation.correction import Correction, begin_correction
from postprocessing.reconciliation.cost import (
    disclosed_bits,
    expected_bits,
    most_failures,
    sent_bits,
)
from postprocessing.reconciliation.decoder import DecodedFrames, decode
from postprocessing.reconciliation.encoder import encode
from postprocessing.reconciliation.frames import Frames, collect, deal, frame_count
from postprocessing.reconciliation.ladder import (
    Ascent,
    Ladder,
    LadderPlan,
    planned,
    wrong_word_probability,
)
from postprocessing.reconciliation.lookup import get_code
from postprocessing.reconciliation.performance import failure_rates
from postprocessing.reconciliation.selection import Mode, candidates
from postprocessing.reconciliation.sifted import ReconciledKey, reconcile
from postprocessing.reconciliation.verification import (
    MOST_TAG_BITS,
    tag_length,
    verification_tag,
)

__all__ = [
    "MOST_TAG_BITS",
    "Ascent",
    "Correction",
    "DecodedFrames",
    "Frames",
    "Ladder",
    "LadderPlan",
    "Mode",
    "QCLDPCCode",
    "RateAdaptation",
    "ReconciledKey",
    "begin_correction",
    "bring_code",
    "candidates",
    "code_family",
    "collect",
    "deal",
    "decode",
    "disclosed_bits",
    "encode",
    "expected_bits",
    "failure_rates",
    "frame_count",
    "get_code",
    "measure_code",
    "most_failures",
    "planned",
    "reconcile",
    "sent_bits",
    "tag_length",
    "verification_tag",
    "wrong_word_probability",
]
