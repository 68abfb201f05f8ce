"""Codes as graphs: their degrees and cycles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.reconciliation.kernels import cycles as _cycle_kernels

# A cycle that is longer is none: no code of ours comes near.
_NO_CYCLE = 1 << 30


def degree_profile(weights: npt.NDArray[np.int64]) -> dict[int, int]:
    """Return how many rows or columns have each weight."""
    values, counts = np.unique(weights, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def bit_degrees(code: QCLDPCCode) -> dict[int, int]:
    """Return how many bits are in each number of checks.

    Examples
    --------
    >>> from postprocessing.reconciliation import get_code
    >>> bit_degrees(get_code("regular3-128-8x800"))
    {3: 102400}
    """
    blocks = degree_profile((code.shifts >= 0).sum(axis=0))
    return {degree: count * code.lifting for degree, count in blocks.items()}


def check_degrees(code: QCLDPCCode) -> dict[int, int]:
    """Return how many checks contain each number of bits."""
    blocks = degree_profile((code.shifts >= 0).sum(axis=1))
    return {degree: count * code.lifting for degree, count in blocks.items()}


def girth(code: QCLDPCCode) -> int | None:
    """Return the length of the shortest cycle of a code's Tanner graph; None without one.

    The graph looks the same from every bit of a block column, so that one search each tells.

    Examples
    --------
    >>> from postprocessing.reconciliation import get_code
    >>> girth(get_code("fast0.04-512-53x200"))
    8
    """
    matrix = code.sparse_parity_check()
    checks = matrix.shape[0]
    graph = sparse.block_array([[None, matrix], [matrix.T, None]], format="csr")
    starts = checks + np.arange(code.columns, dtype=np.int64) * code.lifting
    first, neighbours = graph.indptr.astype(np.int64), graph.indices.astype(np.int64)
    found = _cycle_kernels.shortest_cycle(first, neighbours, starts, _NO_CYCLE)
    return None if found == _NO_CYCLE else int(found)
