"""Syndromes of the reference party's key bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.bits import WORD_BITS, octets
from postprocessing.reconciliation.codes import RateAdaptation, sent_graph
from postprocessing.reconciliation.frames import Frames
from postprocessing.reconciliation.kernels import encoding as _encoding_kernels
from postprocessing.reconciliation.ladder import Ladder
from postprocessing.reconciliation.ladder import syndromes as all_syndromes


def encode(
    adaptation: RateAdaptation | Ladder, frames: Frames, step: int = 0
) -> npt.NDArray[np.uint8]:
    """Return the syndromes that the reference party sends for an attempt.

    Each frame costs ``adaptation.syndrome_bits(step)`` bits of leakage.

    Parameters
    ----------
    adaptation : RateAdaptation or Ladder
        The code and its rates, the same for both parties.
    frames : Frames
        The reference's frames: all at first, those that failed later.
    step : int, optional
        Attempt, from 0; later ones add to what was sent for earlier ones.

    Returns
    -------
    ndarray of uint8, shape (frames, ⌈syndrome bits / 8⌉)
        Syndromes, packed with the first bit lowest; what is left of the last byte is zero.
    """
    if isinstance(adaptation, Ladder):
        first, last = adaptation.bits_sent(step)
        bits = all_syndromes(adaptation, frames)[:, first:last]
        return np.packbits(bits, axis=1, bitorder="little")
    graph, lifting = sent_graph(adaptation), adaptation.mother.lifting
    first, last = adaptation.rows_sent(step)
    syndromes = np.zeros((len(frames), last - first, lifting // WORD_BITS), np.uint64)
    starts = graph.row_starts[first : last + 1]
    _encoding_kernels.encode(frames.words, starts, graph.edges, syndromes)
    return octets(syndromes.reshape(len(frames), (last - first) * lifting // WORD_BITS))
