"""Kernels of the sampler: uniform 64-bit words in, rounds out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

_Words = npt.NDArray[np.uint64]
_Bytes = npt.NDArray[np.uint8]


@njit(cache=True, nogil=True, boundscheck=False)
def draw_rounds(
    words: _Words, guide: _Bytes, cumulative: _Words, categories: _Bytes, out: _Bytes
) -> None:
    """Invert the cumulative distribution of a round for each word.

    Category k is drawn by the words u with cumulative[k − 1] ≤ u < cumulative[k]. The guide gives,
    by the word's 16 leading bits, the least category possible, from which the search goes on.
    ``categories`` has shape (5, K): x, a, y, b and herald of a category; ``out`` (5, n) likewise.
    """
    last = len(cumulative)
    for i in range(len(words)):
        word = words[i]
        k = np.intp(guide[word >> np.uint64(48)])
        while k < last and word >= cumulative[k]:
            k += 1
        for column in range(5):
            out[column, i] = categories[column, k]


@njit(cache=True, nogil=True, boundscheck=False)
def geometric_gaps(words: _Words, log_unheralded: float, out: _Words) -> None:
    """Draw the number of pulses up to and including the next heralded one.

    P(gap > g) = (1 − P)^g, so gap = 1 + ⌊ln u / ln(1 − P)⌋ for u uniform in (0, 1).
    """
    for i in range(len(words)):
        uniform = (np.float64(words[i] >> np.uint64(11)) + 0.5) * 2.0**-53
        out[i] = np.uint64(1) + np.uint64(math.floor(math.log(uniform) / log_unheralded))
