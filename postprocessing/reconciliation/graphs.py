"""Codes as graphs: their degrees, cycles and small sets of bits that checks do not see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.reconciliation.kernels import cycles as _cycle_kernels
from postprocessing.reconciliation.kernels import light_sets as _light_set_kernels

# A cycle that is longer is none: no code of ours comes near.
_NO_CYCLE = 1 << 30
# Elements of a matrix that is reduced within seconds.
_MOST_REDUCED = 1 << 23
# Sets of light bits to look at in all.
_MOST_NODES = 3_000_000


def degree_profile(weights: npt.NDArray[np.int64]) -> dict[int, int]:
    """Return how many rows or columns have each weight."""
    values, counts = np.unique(weights, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def bit_degrees(code: QCLDPCCode) -> dict[int, int]:
    """Return how many bits are in each number of checks.

    Examples
    --------
    >>> from postprocessing.reconciliation.codes import shipped_code
    >>> bit_degrees(shipped_code("regular3-128-8x800"))
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
    >>> from postprocessing.reconciliation.codes import shipped_code
    >>> girth(shipped_code("fast0.04-512-53x200"))
    8
    """
    matrix = code.sparse_parity_check()
    checks = matrix.shape[0]
    graph = sparse.block_array([[None, matrix], [matrix.T, None]], format="csr")
    starts = checks + np.arange(code.columns, dtype=np.int64) * code.lifting
    first, neighbours = graph.indptr.astype(np.int64), graph.indices.astype(np.int64)
    found = _cycle_kernels.shortest_cycle(first, neighbours, starts, _NO_CYCLE)
    return None if found == _NO_CYCLE else int(found)


def rank(code: QCLDPCCode) -> int | None:
    """Return the rank of a code's parity-check matrix; None where it is too large to reduce.

    Examples
    --------
    >>> import numpy as np
    >>> twice = np.array([[0, 3, -1], [0, 3, -1], [-1, 1, 2]], np.int16)
    >>> rank(QCLDPCCode("twice", 64, twice))
    128
    """
    import galois

    side_by_side = not (code.shifts > 0).any()
    times = code.lifting if side_by_side else 1
    if code.rows * code.columns * (code.lifting // times) ** 2 > _MOST_REDUCED:
        return None
    matrix = (
        galois.GF2((code.shifts >= 0).astype(np.uint8)) if side_by_side else code.parity_check()
    )
    return times * int(np.linalg.matrix_rank(matrix))


def light_set(code: QCLDPCCode, most: int, heaviest: int) -> int:
    """Return the size of a few light bits whose checks are all even but one at most, 0 if none.

    Such bits are a codeword of low weight, or a trapping set that keeps a decoder from the last
    errors.

    Parameters
    ----------
    code : QCLDPCCode
        The code.
    most : int
        Largest set to look for, at least 2.
    heaviest : int
        Weight up to which bits are light, at least 1. The search gives up after a while.

    Examples
    --------
    >>> import numpy as np
    >>> shifts = np.array([[0, 0, 0], [0, 1, 2]], np.int16)
    >>> code = QCLDPCCode("cycles", 64, shifts)
    >>> light_set(code, 3, 2), light_set(code, 6, 2)
    (0, 4)
    """
    shifts = code.shifts.astype(np.int64)
    weights = (shifts >= 0).sum(axis=0)
    light = np.flatnonzero(weights <= heaviest)
    columns = _lists(shifts.T, light)
    rows = _lists(np.where(weights <= heaviest, shifts, -1), np.arange(code.rows))
    share = _MOST_NODES // max(1, len(light))
    for start in light:
        size: int = _light_set_kernels.find(start, columns, rows, code.lifting, most, share)
        if size:
            return size
    return 0


def _lists(
    shifts: npt.NDArray[np.int64], lines: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return places and values of the blocks of some lines of a base matrix, and how many."""
    counts = np.zeros(len(shifts), np.int64)
    counts[lines] = (shifts[lines] >= 0).sum(axis=1)
    places = np.zeros((len(shifts), max(1, counts.max())), np.int64)
    values = np.zeros_like(places)
    for line in lines:
        blocks = np.flatnonzero(shifts[line] >= 0)
        places[line, : len(blocks)], values[line, : len(blocks)] = blocks, shifts[line, blocks]
    return places, values, counts
