"""Error correction between the parties: codes, syndrome encoder, decoder, verification."""

from postprocessing.reconciliation.codes import QCLDPCCode, code_family, get_code
from postprocessing.reconciliation.decoder import DecodedFrames, decode_frames
from postprocessing.reconciliation.encoder import encode_frames, frame_count, in_frames
from postprocessing.reconciliation.verification import tag_length, verification_tag

__all__ = [
    "DecodedFrames",
    "QCLDPCCode",
    "code_family",
    "decode_frames",
    "encode_frames",
    "frame_count",
    "get_code",
    "in_frames",
    "tag_length",
    "verification_tag",
]
