"""Correction of key bits towards the syndromes of the reference party."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import _bp_kernels
from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.reconciliation.encoder import (
    frame_count,
    frame_lengths,
    join_frames,
    split_frames,
)
from postprocessing.rounds import Bits

MAX_ITERATIONS = 60
_QBER_RANGE = (1e-5, 0.4)
# Frames that one thread takes at a time: enough to share its working memory between them.
_BATCH = 8


@dataclass(frozen=True, eq=False)
class DecodedFrames:
    """Key bits after decoding, and which frames to trust.

    Parameters
    ----------
    bits : ndarray of uint8, shape (length,)
        Corrected bits; those of a failed frame are meaningless.
    failed : ndarray of bool, shape (frames,)
        Whether a frame did not reach the syndrome. A frame that did may still be wrong, which
        verification finds out.
    iterations : ndarray of int64, shape (frames,)
        Iterations spent on each frame, over both attempts, −1 if it failed.
    """

    bits: Bits
    failed: npt.NDArray[np.bool_]
    iterations: npt.NDArray[np.int64]


def decode_frames(
    code: QCLDPCCode, bits: Bits, syndromes: Bits, qber: float, threads: int | None = None
) -> DecodedFrames:
    """Correct `bits` towards the syndromes of the reference party's bits.

    Layered sum-product decoding (Mansour and Shanbhag, IEEE Trans. VLSI Syst. 11, 976 (2003)) of
    the coset with the given syndrome, in single precision, until the syndrome matches. A frame that
    does not reach it gets a second attempt with smaller log-likelihood ratios. The result does not
    depend on the number of threads.

    Parameters
    ----------
    code : QCLDPCCode
        The code of both parties.
    bits : ndarray of uint8, shape (length,)
        The corrector's key bits, 0 or 1.
    syndromes : ndarray of uint8, shape (frames, ceil(m / 8))
        From ``encode_frames`` on the reference party's bits, of the same length.
    qber : float
        Probability in [0, 1/2] that a bit differs, as the design assumes it; the decoder uses the
        nearest value in [1e-5, 0.4].
    threads : int, optional
        Threads that share the frames, at least 1; by default one a processor.

    Returns
    -------
    DecodedFrames
        Corrected bits and what became of each frame.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range or the syndromes do not fit the bits.
    """
    if not 0 <= qber <= 0.5:
        raise InvalidArgumentError("qber", qber, "in [0, 1/2]")
    if threads is not None and threads < 1:
        raise InvalidArgumentError("threads", threads, "at least 1")
    shape = (frame_count(code, bits), -(-code.syndrome_bits // 8))
    if syndromes.shape != shape or syndromes.dtype != np.uint8:
        raise InvalidArgumentError("syndromes", syndromes.shape, f"uint8 of shape {shape}")
    frames = split_frames(code, bits)
    lengths = frame_lengths(code, bits)
    crossover = min(max(qber, _QBER_RANGE[0]), _QBER_RANGE[1])
    llr = float(np.log1p(-crossover) - np.log(crossover))

    def decode_batch(first: int) -> npt.NDArray[np.int64]:
        batch = slice(first, first + _BATCH)
        return _decode_in_place(code, frames[batch], lengths[batch], syndromes[batch], llr)

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        parts = list(pool.map(decode_batch, range(0, len(frames), _BATCH)))
    iterations = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    return DecodedFrames(join_frames(frames, len(bits)), iterations < 0, iterations)


def _decode_in_place(
    code: QCLDPCCode, frames: Bits, lengths: npt.NDArray[np.int64], syndromes: Bits, llr: float
) -> npt.NDArray[np.int64]:
    """Correct `frames`, of which all bits from `lengths` on are zero; return the iterations."""
    iterations = np.empty(len(frames), dtype=np.int64)
    targets = np.unpackbits(syndromes, axis=1, count=code.syndrome_bits)
    _bp_kernels.decode(
        frames,
        lengths,
        targets.reshape(-1, code.shifts.shape[0], code.lifting),
        code.row_starts,
        code.edges,
        llr,
        MAX_ITERATIONS,
        iterations,
    )
    return iterations
