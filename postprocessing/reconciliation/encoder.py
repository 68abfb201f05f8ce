"""Syndromes of the reference party's key bits."""

from __future__ import annotations

import numpy as np

from postprocessing.checks import check_bits
from postprocessing.reconciliation import _bp_kernels
from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.rounds import Bits


def frame_count(code: QCLDPCCode, bits: Bits) -> int:
    """Return the number of frames that `bits` fill, the last one padded."""
    return -(-len(bits) // code.frame_bits)


def split_frames(code: QCLDPCCode, bits: Bits) -> Bits:
    """Return a copy of `bits` as frames, the last one padded with zeros.

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
    frames = np.zeros((frame_count(code, bits), code.frame_bits), dtype=np.uint8)
    frames.ravel()[: len(bits)] = bits
    return frames


def encode_frames(code: QCLDPCCode, bits: Bits) -> Bits:
    """Return the syndrome H·x of every frame of `bits`.

    The syndromes are all that the reference party sends; each costs ``code.syndrome_bits`` of
    leakage.

    Parameters
    ----------
    code : QCLDPCCode
        The code of both parties.
    bits : ndarray of uint8, shape (length,)
        Key bits, 0 or 1, of any length; the last frame is padded with zeros.

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
