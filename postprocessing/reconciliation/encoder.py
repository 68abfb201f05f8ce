"""Syndromes of the reference party's key bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.checks import check_bits
from postprocessing.reconciliation import _bp_kernels
from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.rounds import Bits


def frame_count(code: QCLDPCCode, bits: Bits) -> int:
    """Return the number of frames that `bits` fill."""
    return -(-len(bits) // code.frame_bits)


def split_frames(code: QCLDPCCode, bits: Bits) -> Bits:
    """Return a copy of `bits` dealt out to frames like cards, which end in zeros.

    Bit i goes to frame i mod F, so that devices that drift give every frame the same error rate.

    Parameters
    ----------
    code : QCLDPCCode
        The code that fixes the frame length n.
    bits : ndarray of uint8, shape (length,)
        Key bits, 0 or 1.

    Returns
    -------
    ndarray of uint8, shape (frames, n)
        The frames.

    Raises
    ------
    InvalidArgumentError
        If `bits` is not a vector of 0 and 1 in uint8.
    """
    check_bits("bits", bits)
    frames = frame_count(code, bits)
    dealt = np.zeros((code.frame_bits, frames), dtype=np.uint8)
    dealt.ravel()[: len(bits)] = bits
    return np.ascontiguousarray(dealt.T)


def join_frames(frames: Bits, length: int) -> Bits:
    """Return the first `length` bits that `split_frames` dealt out, in their order."""
    return frames.T.ravel()[:length]


def frame_lengths(code: QCLDPCCode, bits: Bits) -> npt.NDArray[np.int64]:
    """Return the number of bits dealt to each frame."""
    frames = frame_count(code, bits)
    return (len(bits) + frames - 1 - np.arange(frames, dtype=np.int64)) // max(frames, 1)


def in_frames(chosen: npt.NDArray[np.bool_], length: int) -> npt.NDArray[np.bool_]:
    """Return which of `length` bits lie in the chosen frames."""
    return np.resize(chosen, length)


def encode_frames(code: QCLDPCCode, bits: Bits) -> Bits:
    """Return the syndrome H·x of every frame of `bits`.

    The syndromes are all that the reference party sends; each costs ``code.syndrome_bits`` of
    leakage.

    Parameters
    ----------
    code : QCLDPCCode
        The code of both parties.
    bits : ndarray of uint8, shape (length,)
        Key bits, 0 or 1, of any length.

    Returns
    -------
    ndarray of uint8, shape (frames, ceil(m / 8))
        Syndromes packed as by ``numpy.packbits``, first bit highest.

    Raises
    ------
    InvalidArgumentError
        If `bits` is not a vector of 0 and 1 in uint8.
    """
    frames = split_frames(code, bits)
    syndromes = np.zeros((len(frames), code.shifts.shape[0], code.lifting), dtype=np.uint8)
    _bp_kernels.encode(frames, code.row_starts, code.edges, syndromes)
    return np.packbits(syndromes.reshape(len(frames), code.syndrome_bits), axis=1)
