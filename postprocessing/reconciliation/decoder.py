"""Correction of key bits towards the syndromes of the reference party."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from postprocessing.bits import WORD_BITS, whole_words
from postprocessing.checks import thread_count
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import RateAdaptation, decoded_graph
from postprocessing.reconciliation.frames import Frames
from postprocessing.reconciliation.kernels import layered as _layered_kernels
from postprocessing.reconciliation.kernels import sum_product as _sum_product_kernels

# Frames within reach take a tenth of it, those at the limit half.
QUANTISED_ITERATIONS = 250
# The exact decoder takes up what the quantised one leaves: about one frame in a hundred.
EXACT_ITERATIONS = 100
# A few wrong bits can hold each other up for ever, with hardly a check that objects (a trapping
# set). Where the received bits are believed a little less, other checks win.
_TIMID = 0.8
_QBER_RANGE = (1e-7, 0.4)
# Working memory of a thread, which frames decoded one after the other share.
_BATCH_BITS = 1 << 20


@dataclass(frozen=True, eq=False)
class DecodedFrames:
    """Frames after decoding, and which of them to trust.

    Parameters
    ----------
    frames : Frames
        Corrected frames; a failed one is as it was received.
    failed : ndarray of bool, shape (frames,)
        Whether a frame did not reach the syndrome. A frame that did may still be wrong, which
        verification finds out.
    iterations : ndarray of int64, shape (frames,)
        Iterations that led to the syndrome, −1 if the frame failed.
    """

    frames: Frames
    failed: npt.NDArray[np.bool_]
    iterations: npt.NDArray[np.int64]


def log_likelihood_ratio(qber: float) -> float:
    """Return ln((1 − p)/p) of a received bit, p the nearest rate that decoding works with."""
    crossover = min(max(qber, _QBER_RANGE[0]), _QBER_RANGE[1])
    return float(np.log1p(-crossover) - np.log(crossover))


def decode(
    adaptation: RateAdaptation,
    frames: Frames,
    syndromes: npt.NDArray[np.uint8],
    qber: float,
    step: int = 0,
    threads: int | None = None,
    most_iterations: tuple[int, int] = (QUANTISED_ITERATIONS, EXACT_ITERATIONS),
) -> DecodedFrames:
    """Correct frames towards the syndromes of the reference party's.

    Layered belief propagation (Mansour and Shanbhag, IEEE Trans. VLSI Syst. 11, 976 (2003)) on the
    coset with the given syndrome, until the syndrome matches: with messages of 8 bits, then, where
    that fails, in single precision, then with less trust in the received bits. The result does not
    depend on the number of threads.

    Parameters
    ----------
    adaptation : RateAdaptation
        The code and its rates, the same for both parties.
    frames : Frames
        The frames to correct.
    syndromes : ndarray of uint8, shape (frames, bytes)
        All that was sent for these frames up to this attempt, one after the other.
    qber : float
        Expected error rate, in [0, 1/2]; decoding works with the nearest value in [1e-7, 0.4].
    step : int, optional
        Attempt, from 0.
    threads : int, optional
        Threads that share the frames, in [1, 1000]; by default one a processor.
    most_iterations : tuple of int, optional
        Most iterations of the quantised decoder, and of the exact one after it.

    Returns
    -------
    DecodedFrames
        Corrected frames and what became of each.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range or the syndromes do not fit the frames.
    """
    if not 0 <= qber <= 0.5:
        raise InvalidArgumentError("qber", qber, "in [0, 1/2]")
    threads = thread_count(threads)
    sent = sum(adaptation.syndrome_bits(earlier) for earlier in range(step + 1))
    shape = (len(frames), sent // 8)
    if syndromes.shape != shape or syndromes.dtype != np.uint8:
        raise InvalidArgumentError("syndromes", syndromes.shape, f"uint8 of shape {shape}")
    llr = log_likelihood_ratio(qber)
    words, iterations = frames.words.copy(), np.full(len(frames), -1, np.int64)
    batch = max(1, _BATCH_BITS // adaptation.frame_bits)
    tries = (
        (_layered_kernels.decode, 1.0, most_iterations[0]),
        (_sum_product_kernels.decode, 1.0, most_iterations[1]),
        (_layered_kernels.decode, _TIMID, most_iterations[0]),
    )

    def decode_batch(first: int) -> None:
        left = np.arange(first, min(first + batch, len(frames)))
        spent = 0
        for kernel, confidence, most in tries:
            if not len(left):
                return
            signs = _signs(adaptation, step, whole_words(syndromes[left]))
            job = _Job(frames.words[left], frames.lengths[left], signs, iterations[left])
            job.run(kernel, adaptation, step, confidence * llr, most)
            solved = job.iterations >= 0
            words[left[solved]] = job.words[solved]
            iterations[left[solved]] = spent + job.iterations[solved]
            left, spent = left[~solved], spent + most

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(decode_batch, range(0, len(frames), batch)):
            pass
    return DecodedFrames(Frames(words, frames.lengths), iterations < 0, iterations)


@dataclass(frozen=True, eq=False)
class _Job:
    """A batch of frames that a kernel corrects in place."""

    words: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.int64]
    signs: npt.NDArray[np.int8]
    iterations: npt.NDArray[np.int64]

    def run(
        self, kernel: Any, adaptation: RateAdaptation, step: int, llr: float, most: int
    ) -> None:
        graph = decoded_graph(adaptation, step)
        starts, edges = graph.row_starts, graph.edges
        kernel(self.words, self.lengths, self.signs, starts, edges, llr, most, self.iterations)


def _signs(
    adaptation: RateAdaptation, step: int, syndromes: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int8]:
    """Return the signs of the checks to decode, shape (frames, block rows, Z)."""
    code, split = adaptation.mother, adaptation.split_rows[step]
    signs = np.empty((len(syndromes), code.rows + split, code.lifting), np.int8)
    whole = code.rows * code.lifting // WORD_BITS
    for k, syndrome in enumerate(syndromes):
        _layered_kernels.spread_syndrome(
            syndrome[:whole], syndrome[whole:], code.split_order[:split], signs[k], code.lifting
        )
    return signs
